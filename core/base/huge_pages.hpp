// core/base/huge_pages.hpp: memory that is read from end to end again and again, on pages that the
// processor need not look up so often.
#pragma once

#include <cstddef>
#include <vector>

namespace cambium::base {

/// Hands out pieces of huge pages, where the kernel has some (madvise), else of ordinary ones.
///
/// Memory     Pieces live as long as this; given out in large steps and never taken back singly.
/// Threads    One at a time.
class HugePages {
 public:
  HugePages() = default;
  ~HugePages();
  HugePages(HugePages&& other) noexcept;
  HugePages& operator=(HugePages&&) = delete;

  /// `bytes` zeros, aligned to 64. Throws std::bad_alloc. [setup]
  std::byte* take(std::size_t bytes);

 private:
  struct Step {
    std::byte* data = nullptr;
    std::size_t size = 0;
  };
  std::vector<Step> steps_;
  std::size_t used_ = 0;  ///< of the last step
};

}  // namespace cambium::base
