// core/base/reserved_memory.hpp: memory that is promised now and taken page by page, as it is
// touched.
#pragma once

#include <cstddef>
#include <utility>

#include "cambium/result.hpp"

namespace cambium::base {

/// Owns a range of addresses. Its pages are zeros, and cost nothing until they are touched.
///
/// Threads    release() of a part while nobody touches that part.
class ReservedMemory {
 public:
  ReservedMemory() = default;
  /// `bytes` 0: nothing. limit: there are no addresses for so many, or the system does not promise
  /// that much. [setup]
  static Result<ReservedMemory> reserve(std::size_t bytes);
  ~ReservedMemory();
  ReservedMemory(ReservedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  ReservedMemory& operator=(ReservedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  /// Aligned to a page.
  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

  /// Gives back the pages that lie wholly within the part; they are zeros when they are touched
  /// again, the rest of it is as it was. [io]
  void release(const std::byte* part, std::size_t bytes) noexcept;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cambium::base
