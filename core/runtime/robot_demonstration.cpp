// A robot whose controller demonstrates: what becomes of the policy meanwhile, of a shadow, and of
// the row. The rest of Robot is in robot.cpp.
#include <algorithm>
#include <cmath>

#include "core/runtime/robot.hpp"

namespace cambium::runtime {
namespace {

// As of any request: the trunk died or dropped it.
constexpr base::Nanoseconds kShadowTimeout = 250 * base::kMillisecond;

}  // namespace

// A demonstrator drives: what the policy had in mind is of no use any more, and when he stops, it
// begins with what it sees then.
void Robot::set_policy_aside() noexcept {
  Generation& now = *current_;
  if (now.inference.under_way() && now.inference.request().lockstep)
    notice(now.inference.request().sequence, Code::stale, "a demonstrator drives");
  now.inference.cancel();
  now.player.clear();
  now.last_request_tick = 0;
  now.reason = Code::unavailable;
}

// A policy must not learn to ask for what the gate would have to forbid it.
void Robot::learn(const ObservationFrame& frame) noexcept {
  const auto& label = frame.labelled != 0 ? frame.label : frame.command;
  std::copy_n(label.begin(), current_->dof, label_.begin());
  current_->gate.keep_legal(std::span(label_).first(current_->dof));
}

void Robot::record_tick(const ObservationFrame& frame, bool shown, bool refused) noexcept {
  if (!recorder_) return;
  const Generation& now = *current_;
  if (recorder_->shape().body != now.body) return recorder_->end();
  const std::span<const float> label = std::span(label_).first(now.dof);
  const bool finite = std::ranges::all_of(label, [](float x) { return std::isfinite(x); });
  if (shown && !refused && finite)
    recorder_->keep(
        now.window, label,
        {.sequence = frame.sequence, .when = frame.readable, .begins = frame.episode_start});
  else
    recorder_->skip(shown);
}

// Who drives is a demonstrator: what the shadow would do is held against what he shows, and not
// against what the current policy would do, if there is one.
void Robot::ask_shadow(const Thought& about) noexcept {
  Inference& inference = other_->inference;
  if (inference.under_way()) {  // looked at again with the next observation, unless it is lost
    if (base::monotonic_ns() - inference.request().sent < kShadowTimeout) return;
    advance(*other_, inference.expire());
  }
  asked_ = label_;
  shadow_asked_ = true;
  shadow_tick_ = tick_;
  const auto horizon = inference.policy()->shape().horizon;
  shadow_chunk({.tick = tick_ - 1,
                .sequence = about.sequence,
                .sent = base::monotonic_ns(),
                .readable = about.readable},
               static_cast<std::uint32_t>(horizon * other_->period / 1000));
}

// Only the first row: where the others belong, the demonstrator may have seen something new.
void Robot::compare_with_demonstrator() noexcept {
  comparison_->add(std::span(asked_).first(current_->dof),
                   other_->inference.chunk().first(current_->dof));
}

}  // namespace cambium::runtime
