// tests/fuzz/target.hpp: what every fuzz target is: one function that reads bytes from outside, and
// aborts where a promise of the reader is broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

/// The name is libFuzzer's. Reads `data` as the product would, keeps nothing that grows, leaves no
/// file behind. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace cambium::fuzz {

inline std::span<const std::byte> bytes(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process, as a sanitizer would, if what a reader promises does not hold.
inline void promise(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// Every failure comes with a sentence.
template <class Result>
void says_why(const Result& result) {
  if (!result) promise(!result.error().message.empty(), "an error has a sentence");
}

}  // namespace cambium::fuzz
