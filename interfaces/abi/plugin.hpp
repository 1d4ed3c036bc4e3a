// abi/plugin.hpp: the C++ side of the front door: CAMBIUM_PLUGIN lists what a library exports.
#pragma once

#include <cstdint>
#include <iterator>
#include <new>

#include "abi/plugin.h"
#include "cambium/head.hpp"
#include "cambium/robot.hpp"
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
