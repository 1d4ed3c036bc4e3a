// core/check/malloc_guard.hpp: proves that code does not allocate.
#pragma once

#include <cstdint>

namespace cambium::check {

/// Counts allocations of the thread that made it, from there on: malloc, calloc, realloc,
/// aligned_alloc, posix_memalign, memalign, and so operator new and what libraries do with them.
///
///     MallocGuard guard;
///     stem.encode(window, out);
///     EXPECT_EQ(guard.allocations(), 0u);
///
/// Linking cambium::malloc_guard replaces the program's allocation functions by counting ones: 3 ns
/// more for a pair of malloc and free, and an allocator that is preloaded goes unused. So
/// `cambium_check` links it, and tests; `cambium` does not.
/// Under a sanitizer, which replaces them itself, works() is false and nothing is counted.
class MallocGuard {
 public:
  MallocGuard() noexcept;
  std::uint64_t allocations() const noexcept;
  /// Ask first: where it is false, a count of 0 says nothing.
  static bool works() noexcept;

 private:
  std::uint64_t before_;
};

}  // namespace cambium::check
