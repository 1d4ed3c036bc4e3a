// tests/bad_plugins/entry.hpp: an entry written by hand, so that each number of it can be wrong.
#pragma once

#include <iterator>

#include "abi/plugin.hpp"

#ifndef BAD_MAGIC
#define BAD_MAGIC CAMBIUM_PLUGIN_MAGIC
#endif
#ifndef BAD_SIZE
#define BAD_SIZE sizeof(cambium_plugin_entry)
#endif
#ifndef BAD_MAJOR
#define BAD_MAJOR cambium::kAbiMajor
#endif
#ifndef BAD_MINOR
#define BAD_MINOR cambium::kAbiMinor
#endif
#ifndef BAD_COUNT
#define BAD_COUNT std::size(kExports)
#endif
#ifdef BAD_SIMD
#define BAD_BUILD \
  "cxx11abi=" CAMBIUM_TEXT(_GLIBCXX_USE_CXX11_ABI) ";simd=128" CAMBIUM_BUILD_SANITIZER
#else
#define BAD_BUILD CAMBIUM_BUILD_TEXT
#endif

#define BAD_PLUGIN(...)                                                                \
  namespace {                                                                          \
  constexpr cambium_export kExports[] = {__VA_ARGS__};                                 \
  __attribute__((section("cambium_build"), used)) constexpr char kBuild[] = BAD_BUILD; \
  }                                                                                    \
  extern "C" constexpr cambium_plugin_entry cambium_plugin = {                         \
      BAD_MAGIC, BAD_SIZE,  BAD_MAJOR, BAD_MINOR, static_cast<unsigned>(BAD_COUNT),    \
      kBuild,    "bad_one", "1.0.0",   kExports};

inline std::uint32_t make_nothing(const cambium_host*, void** out) {
  *out = nullptr;
  return 0;
}
inline void destroy_nothing(void*) {}
