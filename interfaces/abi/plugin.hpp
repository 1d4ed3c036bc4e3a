// abi/plugin.hpp: the C++ side of the front door: CAMBIUM_PLUGIN lists what a library exports.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <new>

#include "abi/plugin.h"
#include "cambium/head.hpp"
#include "cambium/robot.hpp"
#include "cambium/state.hpp"
#include "cambium/status.hpp"
#include "cambium/stem.hpp"
#include "cambium/version.hpp"

#define CAMBIUM_TEXT_(x) #x
#define CAMBIUM_TEXT(x) CAMBIUM_TEXT_(x)

// What must agree between host and plugin although no C++ type of substance crosses: the layout of
// what is linked into both (libstdc++'s ABI, SIMD alignment as Eigen takes it from the target
// flags) and the sanitizer.
#if defined(__AVX512F__)
#define CAMBIUM_BUILD_SIMD "simd=64"
#elif defined(__AVX__)
#define CAMBIUM_BUILD_SIMD "simd=32"
#else
#define CAMBIUM_BUILD_SIMD "simd=16"
#endif
#if defined(__has_feature)  // Clang says it this way, GCC with the macros below
#if __has_feature(address_sanitizer)
#define CAMBIUM_BUILD_SANITIZER ";sanitizer=address"
#elif __has_feature(thread_sanitizer)
#define CAMBIUM_BUILD_SANITIZER ";sanitizer=thread"
#endif
#endif
#if defined(CAMBIUM_BUILD_SANITIZER)
#elif defined(__SANITIZE_ADDRESS__)
#define CAMBIUM_BUILD_SANITIZER ";sanitizer=address"
#elif defined(__SANITIZE_THREAD__)
#define CAMBIUM_BUILD_SANITIZER ";sanitizer=thread"
#else
#define CAMBIUM_BUILD_SANITIZER ";sanitizer=none"
#endif
#define CAMBIUM_BUILD_TEXT \
  "cxx11abi=" CAMBIUM_TEXT(_GLIBCXX_USE_CXX11_ABI) ";" CAMBIUM_BUILD_SIMD CAMBIUM_BUILD_SANITIZER

namespace cambium::plugin {

/// An embodiment to export. `kSpec` is a RobotSpec with static storage. [setup]
template <const RobotSpec& kSpec>
constexpr cambium_export embodiment() noexcept {
  return {kEmbodimentInterface, kSpec.name,
          [](const cambium_host*, void** out) noexcept -> std::uint32_t {
            *out = const_cast<void*>(static_cast<const void*>(&kSpec));
            return 0;
          },
          [](void*) noexcept {}};
}

namespace detail {
template <class Interface, class Object>
constexpr cambium_export make(const char* interface_id, const char* name) noexcept {
  return {
      interface_id, name,
      [](const cambium_host*, void** out) noexcept -> std::uint32_t {
        try {
          *out = static_cast<Interface*>(new Object());  // never the derived pointer
          return 0;
        } catch (...) {  // an exception must not cross the seam
          return static_cast<std::uint32_t>(Code::failed);
        }
      },
      [](void* object) noexcept { delete static_cast<Object*>(static_cast<Interface*>(object)); }};
}

/// A name as a template argument: what is put together from it has static storage.
template <std::size_t kSize>
struct Name {
  constexpr Name(const char (&name)[kSize]) noexcept { std::copy_n(name, kSize, text); }
  char text[kSize] = {};
};

template <Name kKind, Name kName>  // "head:" and "mlp"
struct AbilityName {
  static constexpr auto kText = [] {
    struct {
      char text[sizeof kKind.text - 1 + sizeof kName.text] = {};
    } all;
    std::copy_n(kName.text, sizeof kName.text,
                std::copy_n(kKind.text, sizeof kKind.text - 1, all.text));
    return all;
  }();
};

template <class Interface, class Object>
constexpr cambium_export state(const char* name) noexcept {
  return {kStateInterface, name,
          [](const cambium_host*, void** out) noexcept -> std::uint32_t {
            // Down to the object and up again: the two bases lie at different addresses.
            *out = static_cast<State*>(static_cast<Object*>(static_cast<Interface*>(*out)));
            return 0;
          },
          [](void*) noexcept {}};
}
}  // namespace detail

/// A kind of stem to export under `name`; T is default-constructible and derives from Stem. [setup]
template <class T>
constexpr cambium_export stem(const char* name) noexcept {
  return detail::make<Stem, T>(kStemInterface, name);
}

/// A kind of head to export under `name`; T is default-constructible and derives from Head. [setup]
template <class T>
constexpr cambium_export head(const char* name) noexcept {
  return detail::make<Head, T>(kHeadInterface, name);
}

/// That stems of kind `kName`, exported by stem<T>(), remember something; T derives from State too.
/// [setup]
template <class T, detail::Name kName>
constexpr cambium_export stem_state() noexcept {
  return detail::state<Stem, T>(detail::AbilityName<"stem:", kName>::kText.text);
}

/// That heads of kind `kName`, exported by head<T>(), remember something: after
/// head<Walk>("walk") comes head_state<Walk, "walk">(). T derives from State too. [setup]
template <class T, detail::Name kName>
constexpr cambium_export head_state() noexcept {
  return detail::state<Head, T>(detail::AbilityName<"head:", kName>::kText.text);
}

}  // namespace cambium::plugin

/// CAMBIUM_PLUGIN("my_robot", "1.0.0", cambium::plugin::embodiment<kMyRobot>(), …): once in each
/// plugin library.
#define CAMBIUM_PLUGIN(plugin_name, plugin_version, ...)                           \
  namespace {                                                                      \
  constexpr cambium_export kCambiumExports[] = {__VA_ARGS__};                      \
  __attribute__((section("cambium_build"), used)) constexpr char kCambiumBuild[] = \
      CAMBIUM_BUILD_TEXT;                                                          \
  }                                                                                \
  extern "C" constexpr cambium_plugin_entry cambium_plugin = {                     \
      CAMBIUM_PLUGIN_MAGIC,                                                        \
      sizeof(cambium_plugin_entry),                                                \
      ::cambium::kAbiMajor,                                                        \
      ::cambium::kAbiMinor,                                                        \
      static_cast<std::uint32_t>(std::size(kCambiumExports)),                      \
      kCambiumBuild,                                                               \
      plugin_name,                                                                 \
      plugin_version,                                                              \
      kCambiumExports};
