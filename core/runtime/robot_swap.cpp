// How a robot changes its generation: commit, shadow, probation and the way back. The rest of Robot
// is in robot.cpp.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <utility>

#include "core/runtime/robot.hpp"

namespace cambium::runtime {
namespace {

constexpr const char* kSwapped = "swapped while the chunk was made";
constexpr const char* kTakenBack = "the new generation failed and was taken back";

}  // namespace

std::unique_ptr<Generation> Robot::commit(std::unique_ptr<Generation> next,
                                          const Probation& probation,
                                          CommitReport& report) noexcept {
  const base::Nanoseconds begin = base::monotonic_ns();
  next->number = current_ ? current_->number + 1 : 1;
  if (next->body == 0) next->body = next->number;
  const bool new_body = !current_ || current_->body != next->body;
  Inference::Request dropped;  // its answer will not match the new generation
  if (current_) {
    succeed(*current_, *next);
    report.state = next->take_over(*current_);
    if (current_->inference.under_way()) dropped = current_->inference.request();
    if (dropped.lockstep && new_body) notice(dropped.sequence, Code::stale, kSwapped);
    current_->inference.cancel();
  }
  if (new_body) {
    last_readable_ = 0;
    thought_.open = false;
  }
  auto old = std::exchange(current_, std::move(next));
  counters_.generation.store(current_->number, std::memory_order_relaxed);
  if (dropped.lockstep && !new_body) answer_without_chunk(dropped, Code::stale, kSwapped);
  if (old && probation.ticks != 0) {
    probation_ = probation;
    other_ = std::move(old);
    trial_.begin(probation.ticks);
  }
  report.generation = current_->number;
  report.body = current_->body;
  report.took = base::monotonic_ns() - begin;
  return old;
}

// What the trunk remembers under `old` is gone for `next` if it cannot go on with it.
void Robot::succeed(const Generation& old, Generation& next) noexcept {
  if (fate_of_memory(old, next) != MemoryFate::kept) memory_.begin_anew();
  next.fresh_memory = false;
}

void Robot::shadow(std::unique_ptr<Generation> next, std::uint32_t ticks,
                   Comparison& comparison) noexcept {
  next->number = current_->number + 1;  // as it will be, if it is committed
  next->window.take_over(current_->window);
  other_ = std::move(next);
  comparison_ = &comparison;
  compared_tick_ = 0;
  shadow_asked_ = false;
  shadow_tick_ = 0;
  trial_.begin(ticks);
}

std::unique_ptr<Generation> Robot::conclude() noexcept {
  if (other_) other_->inference.cancel();
  comparison_ = nullptr;
  trial_.end();
  return std::move(other_);
}

// The new generation is not to be trusted: the old one, which waited for this, takes its place.
void Robot::fault(Code code, const char* what) noexcept {
  if (comparison_ || !other_ || !trial_.running()) return;
  Inference::Request dropped;
  if (current_->inference.under_way()) dropped = current_->inference.request();
  const bool same_body = other_->body == current_->body;
  if (dropped.lockstep && !same_body) notice(dropped.sequence, code, kTakenBack);
  current_->inference.cancel();
  succeed(*current_, *other_);
  other_->number = current_->number + 1;
  other_->come_back_after(*current_);
  if (!same_body) last_readable_ = 0;
  thought_.open = false;
  std::swap(current_, other_);
  counters_.generation.store(current_->number, std::memory_order_relaxed);
  if (dropped.lockstep && same_body) answer_without_chunk(dropped, code, kTakenBack);
  trial_.fail(code, what);
}

// After the answer has left: judging must not make it later.
void Robot::judge_tick(bool driven, const GateVerdict& verdict) noexcept {
  if (comparison_) {  // the last tick waits for something to compare
    if (comparison_->rows() != 0 || trial_.ticks_left.load(std::memory_order_relaxed) > 1)
      trial_.tick();
    return;
  }
  if (!driven || !current_->own_chunk) return;  // it proves nothing about the new generation
  if (verdict.violations != 0 && ++trial_.limit_ticks > probation_.limit_ticks) {
    char what[sizeof trial_.what];
    std::snprintf(what, sizeof what,
                  "its policy asked for more than the limits of joint %d allow, in %u ticks",
                  std::countr_zero(verdict.violations), trial_.limit_ticks);
    return fault(Code::limit, what);
  }
  trial_.tick();
}

// From the same observation, so that the two chunks can be compared row by row; and before the
// acting generation's, with the same deadline, so that it is computed from the same memory: one
// that has not taken this observation in yet. Where stems run elsewhere nobody waits for them: then
// the shadow's tokens may come second, and find the observation in the memory already.
void Robot::shadow_chunk(Inference::Request request, std::uint32_t deadline_us) noexcept {
  OutFrame* out = begin(OutFrame::Kind::tokens, request.sequence, other_.get());
  if (!out) return;
  out->deadline_us = deadline_us;
  request.id = next_request();
  const bool shared = fate_of_memory(*current_, *other_) == MemoryFate::kept;
  request.memory = memory_.beside(shared ? MemoryUse::peek : MemoryUse::none, request.readable);
  advance(*other_, other_->inference.begin(request, other_->window, *out));
}

void Robot::compare() noexcept {
  if (!comparison_) return;
  const Inference &acting = current_->inference, &shadow = other_->inference;
  const std::uint64_t tick = acting.chunk_tick();
  if (tick == 0 || tick != shadow.chunk_tick() || tick == compared_tick_) return;
  compared_tick_ = tick;
  // Of a chunk that is made anew before it ends, only the rows that are played matter.
  const std::size_t rows =
      acting.request().lockstep ? acting.policy()->shape().horizon : current_->replan_every;
  const auto numbers =
      std::min({rows * current_->dof, acting.chunk().size(), shadow.chunk().size()});
  comparison_->add(acting.chunk().first(numbers), shadow.chunk().first(numbers));
}

}  // namespace cambium::runtime
