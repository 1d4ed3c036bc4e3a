// bench/pages.hpp: memory on huge pages where the kernel gives them, so that no baseline is slowed
// down by page tables.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace cambium::bench {

/// Zeroed. Owns.
class Pages {
 public:
  explicit Pages(std::size_t size) : size_((size + kPage - 1) / kPage * kPage) {
    void* got =
        ::mmap(nullptr, size_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) throw std::bad_alloc();
    mapped_ = got;
    const auto address = reinterpret_cast<std::size_t>(got);
    data_ = static_cast<std::byte*>(got) + (kPage - address % kPage) % kPage;
    ::madvise(data_, size_, MADV_HUGEPAGE);  // a kernel without them gives small ones
  }
  ~Pages() { ::munmap(mapped_, size_ + kPage); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  std::byte* data() noexcept { return data_; }

 private:
  static constexpr std::size_t kPage = std::size_t{1} << 21;
  std::size_t size_;
  void* mapped_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace cambium::bench
