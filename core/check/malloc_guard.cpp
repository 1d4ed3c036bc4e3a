#include "core/check/malloc_guard.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAMBIUM_COUNTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define CAMBIUM_COUNTS 0
#endif
#endif
#if !defined(CAMBIUM_COUNTS) && defined(__GLIBC__)
#define CAMBIUM_COUNTS 1
#endif

namespace {
thread_local std::uint64_t allocated = 0;
}

#if CAMBIUM_COUNTS
// glibc's own names for what is replaced here. free() counts nothing, but is glibc's like the
// others: of an allocator that somebody preloads, malloc and free would not belong together.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

#define CAMBIUM_SEEN __attribute__((visibility("default"))) /* also by shared libraries */

CAMBIUM_SEEN void* malloc(std::size_t size) noexcept {
  ++allocated;
  return __libc_malloc(size);
}

CAMBIUM_SEEN void* calloc(std::size_t count, std::size_t size) noexcept {
  ++allocated;
  return __libc_calloc(count, size);
}

CAMBIUM_SEEN void* realloc(void* old, std::size_t size) noexcept {
  ++allocated;
  return __libc_realloc(old, size);
}

CAMBIUM_SEEN void free(void* old) noexcept {
  __libc_free(old);
}

CAMBIUM_SEEN void* memalign(std::size_t alignment, std::size_t size) noexcept {
  ++allocated;
  return __libc_memalign(alignment, size);
}

CAMBIUM_SEEN void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++allocated;
  return __libc_memalign(alignment, size);
}

CAMBIUM_SEEN int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
  if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
  ++allocated;
  void* made = __libc_memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *out = made;
  return 0;
}
}  // extern "C"
#endif

namespace cambium::check {

MallocGuard::MallocGuard() noexcept : before_(allocated) {}

std::uint64_t MallocGuard::allocations() const noexcept {
  return allocated - before_;
}

bool MallocGuard::works() noexcept {
#if CAMBIUM_COUNTS
  return true;
#else
  return false;
#endif
}

}  // namespace cambium::check
