// core/runtime/trial.hpp: how a new generation is judged while its robot moves: beside the old one
// (shadow), or in its place with the old one at hand (probation).
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>

#include "cambium/status.hpp"

namespace cambium::runtime {

/// What a new generation has to stand.
struct Probation {
  std::uint32_t ticks = 0;        ///< driven by chunks of its own; 0: none
  std::uint32_t limit_ticks = 0;  ///< of these, how many may ask for more than the limits allow
};

/// What a robot found out. Written by its worker; others read `state` first, and the rest only when
/// that says passed or failed.
struct Trial {
  enum class State : std::uint8_t { none, running, passed, failed };

  std::atomic<State> state{State::none};
  std::atomic<std::uint32_t> ticks_left{0};
  std::uint32_t limit_ticks = 0;  ///< ticks in which the policy asked for more than its limits
  Code code = Code::ok;           ///< of the failure
  char what[160] = {};            ///< the failure in words

  void begin(std::uint32_t ticks) noexcept {
    limit_ticks = 0;
    code = Code::ok;
    what[0] = 0;
    ticks_left.store(ticks, std::memory_order_relaxed);
    state.store(State::running, std::memory_order_release);
  }
  bool running() const noexcept { return state.load(std::memory_order_acquire) == State::running; }
  /// One tick has passed without a fault.
  void tick() noexcept {
    const auto left = ticks_left.load(std::memory_order_relaxed);
    if (left > 0) ticks_left.store(left - 1, std::memory_order_relaxed);
    if (left <= 1) state.store(State::passed, std::memory_order_release);
  }
  void fail(Code why, const char* words) noexcept {
    code = why;
    std::snprintf(what, sizeof what, "%s", words);
    state.store(State::failed, std::memory_order_release);
  }
  void end() noexcept { state.store(State::none, std::memory_order_release); }
};

}  // namespace cambium::runtime
