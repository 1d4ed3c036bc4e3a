#include "core/base/huge_pages.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

namespace cambium::base {
namespace {

constexpr std::size_t kPage = std::size_t{2} << 20, kStep = 8 * kPage, kLine = 64;

std::size_t round_up(std::size_t size, std::size_t to) noexcept {
  return (size + to - 1) / to * to;
}

}  // namespace

HugePages::HugePages(HugePages&& other) noexcept
    : steps_(std::exchange(other.steps_, {})), used_(std::exchange(other.used_, 0)) {}

HugePages::~HugePages() {
  for (const Step& step : steps_) ::munmap(step.data, step.size);
}

std::byte* HugePages::take(std::size_t bytes) {
  if (steps_.empty() || steps_.back().size - used_ < bytes) {
    // One page more, of which the ends are given back: a mapping begins anywhere.
    const std::size_t size = round_up(std::max(bytes, kStep), kPage);
    steps_.reserve(steps_.size() + 1);
    void* got =
        ::mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<std::byte*>(got);
    const std::size_t before = round_up(reinterpret_cast<std::size_t>(begin), kPage) -
                               reinterpret_cast<std::size_t>(begin);
    if (before > 0) ::munmap(begin, before);
    if (kPage > before) ::munmap(begin + before + size, kPage - before);
    ::madvise(begin + before, size, MADV_HUGEPAGE);  // a wish
    steps_.push_back({begin + before, size});
    used_ = 0;
  }
  std::byte* const piece = steps_.back().data + used_;
  used_ = std::min(steps_.back().size, used_ + round_up(bytes, kLine));
  return piece;
}

}  // namespace cambium::base
