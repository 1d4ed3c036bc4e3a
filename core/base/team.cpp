#include "core/base/team.hpp"

#include <pthread.h>
#include <sched.h>

#include <string>

#include "core/base/realtime.hpp"

namespace cambium::base {
namespace {

// About 50 us: longer than parts differ by, shorter than what others would miss of the core.
constexpr int kSpins = 2000;

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Until `value` is no longer `old`.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

Team::Team(std::uint32_t size, const std::vector<std::uint32_t>& cores)
    : size_(size), missing_(size) {
  for (std::uint32_t part = 1; part < size; ++part) {
    others_.emplace_back([this, part, core = part < cores.size() ? cores[part] : ~0u] {
      name_thread("trunk part " + std::to_string(part));
      if (core != ~0u) stay_on_core(core);
      loop(part);
    });
  }
}

Team::~Team() {
  stopping_.store(true);
  begin();
}

void Team::begin() noexcept {
  work_.fetch_add(1, std::memory_order_release);
  work_.notify_all();
}

void Team::loop(std::uint32_t part) noexcept {
  for (std::uint32_t seen = 0;; ++seen) {
    wait_for_change(work_, seen);
    if (stopping_.load()) return;
    call_(context_, part);
    meet();
  }
}

void Team::meet() noexcept {
  if (size_ == 1) return;
  const std::uint32_t before = met_.load(std::memory_order_relaxed);
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) > 1) return wait_for_change(met_, before);
  missing_.store(size_, std::memory_order_relaxed);
  met_.fetch_add(1, std::memory_order_release);
  met_.notify_all();
}

void stay_on_core(std::uint32_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

}  // namespace cambium::base
