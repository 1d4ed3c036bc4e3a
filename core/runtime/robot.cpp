#include "core/runtime/robot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace cambium::runtime {
namespace {

// A request that has not been answered for this long is lost: the trunk died or dropped it.
constexpr base::Nanoseconds kRequestTimeout = 250 * base::kMillisecond;

// Longer than this without an observation is a pause of the controller, not jitter.
constexpr std::uint32_t kPauseTicks = 5;
constexpr base::Nanoseconds kShortest = 1000;  // a command that holds for no time at all is none

void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Robot::Robot(std::uint32_t id, std::string name, std::uint32_t message_floats, base::Waker& io)
    : id_(id), name_(std::move(name)), io_(io), mailbox_(message_floats) {}

std::unique_ptr<Generation> Robot::commit(std::unique_ptr<Generation> next) noexcept {
  if (current_) next->take_over(*current_);
  auto old = std::exchange(current_, std::move(next));
  // Whatever is under way belongs to the old generation; its answer will not match and is dropped.
  if (pending_.open && pending_.lockstep)
    notice(pending_.sequence, Code::stale, "swapped while the chunk was made");
  pending_.open = false;
  last_request_tick_ = 0;
  if (!old || old->body != current_->body) {
    fallback_reason_ = Code::unavailable;
    last_readable_ = 0;
  }
  counters_.generation.store(current_->number, std::memory_order_relaxed);
  return old;
}

void Robot::handle_messages() noexcept {
  // Observations first: a controller waits for each; features only refill the chunk.
  while (ObservationFrame* frame = mailbox_.observations.front()) {
    handle_observation(*frame);
    mailbox_.observations.pop();
  }
  while (FeaturesFrame* frame = mailbox_.features.front()) {
    handle_features(*frame);
    mailbox_.features.pop();
  }
}

void Robot::handle_observation(const ObservationFrame& frame) noexcept {
  bool finite = true;
  if (!accept(frame, finite)) {
    count(counters_.refused);
    return;
  }
  Generation& now = *current_;
  keep_time(frame, finite);
  if (frame.episode_start) start_again(frame);
  if (finite) {
    now.window.push(frame.values.get());
    const auto position = now.window.newest(now.position_sensor);
    std::copy(position.begin(), position.end(), now.safe_position.begin());
  }
  if (frame.want_chunk) {
    if (!finite)
      return notice(frame.sequence, Code::not_finite, "the observation holds NaN or infinity");
    return request_chunk(frame, /*lockstep=*/true);
  }
  act(frame, finite);
  if (finite && now.policy) request_chunk(frame, /*lockstep=*/false);
}

// A controller that ticks faster than it said must not get more acceleration for it: a command
// holds for the time that really passes, one period at most, with a period of credit for jitter.
// After a pause nobody knows what the robot did with the last command: then the gate goes on from
// what was measured.
void Robot::keep_time(const ObservationFrame& frame, bool finite) noexcept {
  Generation& now = *current_;
  const base::Nanoseconds gap = frame.readable - last_readable_;
  const bool first = last_readable_ == 0;
  last_readable_ = frame.readable;
  credit_ = first ? now.period : std::min(credit_ + gap, 2 * now.period);
  // In lockstep the controller plays a whole chunk before it comes back.
  const auto ticks =
      frame.want_chunk && now.policy ? now.policy->shape().horizon + kPauseTicks : kPauseTicks;
  if (first || !finite || (gap <= ticks * now.period && !frame.episode_start)) return;
  now.lockstep.observed = 0;
  if (gap > base::kSecond) return now.gate.rest();  // it has stopped, or was moved by hand
  std::size_t at = 0;
  for (std::size_t i = 0; i < now.position_sensor; ++i) at += frame.sizes[i];
  now.gate.start_from(now.safe_position, {frame.values.get() + at, now.dof},
                      static_cast<double>(gap) * 1e-9);
}

void Robot::start_again(const ObservationFrame& frame) noexcept {
  Generation& now = *current_;
  now.window.clear();
  now.player.clear();
  now.ladder.reset();
  if (pending_.open && pending_.lockstep)
    notice(frame.sequence, Code::stale, "a new episode began");
  pending_.open = false;
  last_request_tick_ = 0;
  fallback_reason_ = Code::unavailable;
}

bool Robot::accept(const ObservationFrame& frame, bool& finite) noexcept {
  char text[sizeof(OutFrame::text)];
  if (!current_) {
    notice(frame.sequence, Code::unavailable, "the robot is being set up");
    return false;
  }
  if (frame.body != current_->body) {
    std::snprintf(text, sizeof text,
                  "robot '%s' holds embodiment '%s' now (generation %llu); say hello again",
                  name_.c_str(), current_->embodiment.c_str(),
                  static_cast<unsigned long long>(current_->number));
    notice(frame.sequence, Code::stale, text);
    return false;
  }
  const auto sizes = current_->window.sizes();
  if (frame.reading_count != sizes.size()) {
    std::snprintf(text, sizeof text, "robot '%s': %u readings, embodiment '%s' has %zu sensors",
                  name_.c_str(), frame.reading_count, current_->embodiment.c_str(), sizes.size());
    notice(frame.sequence, Code::bad_data, text);
    return false;
  }
  std::size_t total = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (frame.sizes[i] != sizes[i]) {
      std::snprintf(text, sizeof text, "robot '%s': reading %zu has %u numbers, its sensor has %u",
                    name_.c_str(), i, frame.sizes[i], sizes[i]);
      notice(frame.sequence, Code::bad_data, text);
      return false;
    }
    total += sizes[i];
  }
  finite = std::all_of(frame.values.get(), frame.values.get() + total,
                       [](float x) { return std::isfinite(x); });
  return true;
}

void Robot::act(const ObservationFrame& frame, bool finite) noexcept {
  Generation& now = *current_;
  OutFrame* out = begin(OutFrame::Kind::action, frame.sequence);
  if (!out) {  // the io thread is far behind: this tick has no action, but it has passed
    ++tick_;
    return count(counters_.unanswered);
  }
  out->readable = frame.readable;
  out->deadline = frame.readable + now.period;
  out->rows = 1;
  out->columns = now.dof;
  const std::span<float> action(out->values.get(), now.dof);
  const std::span<const float> position(now.safe_position);

  const bool aged = base::monotonic_ns() - frame.readable > now.max_observation_age;
  // Rows belong to ticks, but ticks to a time: a controller that paused must not go on in an old
  // chunk.
  const bool old_chunk =
      frame.readable - chunk_observed_ > now.period * now.player.rows() + now.max_observation_age;
  const auto row = finite && !aged && !old_chunk ? now.player.row(tick_) : std::span<const float>();
  Code reason = Code::ok;
  if (!row.empty()) {
    std::copy(row.begin(), row.end(), action.begin());
    out->drive = Drive::policy;
    out->chunk_index = now.player.index(tick_);
    now.ladder.reset();
    count(counters_.policy_ticks);
  } else {
    const bool stale = aged || (old_chunk && now.player.rows() != 0);
    reason = !finite ? Code::not_finite : stale ? Code::stale : fallback_reason_;
    const Drive rung = now.ladder.step(position, now.gate.target(), action);
    out->drive = now.player.rows() == 0 && rung == Drive::hold ? Drive::waiting : rung;
    out->chunk_index = 0;
  }
  const base::Nanoseconds holds = std::clamp<base::Nanoseconds>(credit_, kShortest, now.period);
  credit_ -= holds;
  const GateVerdict verdict = now.gate.pass(action, position, static_cast<double>(holds) * 1e-9);
  if (verdict.limited != 0) count(counters_.limited);
  if (verdict.code ==
      Code::not_finite) {  // the policy spoke nonsense: what leaves is the way to rest
    out->drive = Drive::hold;
    reason = Code::not_finite;
  }
  out->limited = verdict.limited;
  out->code = reason;
  counters_.drive.store(out->drive, std::memory_order_relaxed);
  counters_.reason.store(reason, std::memory_order_relaxed);
  publish();
  ++tick_;
  count(counters_.ticks);
}

void Robot::request_chunk(const ObservationFrame& frame, bool lockstep) noexcept {
  Generation& now = *current_;
  if (!now.policy) {
    return notice(frame.sequence, Code::unavailable,
                  "the robot has no bundle: nothing was learned for it yet");
  }
  const base::Nanoseconds time = base::monotonic_ns();
  if (lockstep) {
    ++tick_;  // a lockstep call is a tick of its own, answered by the chunk
  } else {
    if (pending_.open && time - pending_.sent < kRequestTimeout) return;
    if (pending_.open) fallback_reason_ = Code::timeout;
    const bool due = last_request_tick_ == 0 || tick_ - last_request_tick_ >= now.replan_every ||
                     now.player.row(tick_).empty();
    if (!due) return;
  }
  OutFrame* out = begin(OutFrame::Kind::tokens, frame.sequence);
  if (!out) return;
  const auto& shape = now.policy->shape();
  if (const Status encoded =
          now.policy
              ->encode(now.window,
                       std::span(out->values.get(), std::size_t{shape.tokens} * shape.width))
              .status;
      !encoded.ok()) {
    fallback_reason_ = encoded.code();
    if (lockstep) notice(frame.sequence, encoded.code(), "a stem failed");
    return;
  }
  out->rows = shape.tokens;
  out->columns = shape.width;
  out->pooling = shape.pooling;
  out->pooled = shape.features;
  out->trunk = shape.trunk;
  out->request = (std::uint64_t{id_} << 48) | ++requests_made_;
  // An answer after the last row of the chunk would have been played is worth nothing.
  out->deadline_us = lockstep ? 0 : static_cast<std::uint32_t>(shape.horizon * now.period / 1000);
  pending_ = {.open = true,
              .lockstep = lockstep,
              .request = out->request,
              .tick = tick_ - 1,
              .sequence = frame.sequence,
              .sent = time,
              .readable = frame.readable};
  last_request_tick_ = tick_;
  publish();
  count(counters_.requests);
}

void Robot::handle_features(const FeaturesFrame& frame) noexcept {
  if (!current_ || !current_->policy || !pending_.open) return;
  Generation& now = *current_;
  if (frame.request != pending_.request || frame.generation != now.number)
    return;  // of an old generation: dropped
  pending_.open = false;
  const auto& shape = now.policy->shape();
  Code code = frame.code;
  if (code == Code::ok && (frame.count != shape.features || frame.width != shape.width))
    code = Code::bad_data;
  if (code == Code::ok) {
    code =
        now.policy->decode({frame.values.get(), frame.count, frame.width}, now.chunk).status.code();
  }
  if (code != Code::ok) {
    fallback_reason_ = code;
    if (pending_.lockstep) notice(pending_.sequence, code, "the trunk or the head failed");
    return;
  }
  if (pending_.lockstep) return answer_chunk(frame);
  if (now.player.load(now.chunk, pending_.tick, tick_)) {
    count(counters_.chunks);
    chunk_observed_ = pending_.readable;
    fallback_reason_ = Code::timeout;  // what it will be, should the next one not come
  } else {
    count(counters_.late_chunks);
    fallback_reason_ = Code::timeout;
  }
}

// Every action of a chunk passes the gate as if it were played: from the measured position,
// integrated.
void Robot::answer_chunk(const FeaturesFrame& frame) noexcept {
  Generation& now = *current_;
  OutFrame* out = begin(OutFrame::Kind::chunk, pending_.sequence);
  if (!out) return;
  const std::uint32_t horizon = now.policy->shape().horizon;
  std::copy(now.chunk.begin(), now.chunk.end(), out->values.get());
  out->rows = horizon;
  out->columns = now.dof;
  out->compute_us = frame.compute_us;
  out->limited = 0;
  std::copy(now.safe_position.begin(), now.safe_position.end(), now.lockstep.position.begin());
  const std::span<float> position(now.lockstep.position);
  const double dt = static_cast<double>(now.period) * 1e-9;
  auto& played = now.lockstep;
  if (played.observed != 0) {
    const auto ticks = (pending_.readable - played.observed + now.period / 2) / now.period;
    const auto row =
        static_cast<std::size_t>(std::clamp<base::Nanoseconds>(ticks, 1, horizon) - 1) * now.dof;
    now.gate.resume(std::span(played.velocity).subspan(row, now.dof),
                    std::span(played.target).subspan(row, now.dof));
  }
  played.observed = pending_.readable;
  for (std::uint32_t t = 0; t < horizon; ++t) {
    const std::span<float> row(out->values.get() + std::size_t{t} * now.dof, now.dof);
    out->limited |= now.gate.pass(row, position, dt).limited;
    for (std::uint32_t j = 0; j < now.dof; ++j) {
      position[j] = static_cast<float>(position[j] + now.gate.velocity()[j] * dt);
      played.velocity[std::size_t{t} * now.dof + j] = now.gate.velocity()[j];
      played.target[std::size_t{t} * now.dof + j] = now.gate.target()[j];
    }
  }
  count(counters_.chunks);
  counters_.drive.store(Drive::policy, std::memory_order_relaxed);
  counters_.reason.store(Code::ok, std::memory_order_relaxed);
  publish();
  count(counters_.ticks);
}

void Robot::notice(std::uint64_t sequence, Code code, const char* text) noexcept {
  OutFrame* out = begin(OutFrame::Kind::notice, sequence);
  if (!out) return;
  out->code = code;
  std::snprintf(out->text.data(), out->text.size(), "%s", text);
  publish();
}

OutFrame* Robot::begin(OutFrame::Kind kind, std::uint64_t sequence) noexcept {
  OutFrame* out = mailbox_.out.loan();
  if (!out) return nullptr;
  out->kind = kind;
  out->sequence = sequence;
  out->generation = current_ ? current_->number : 0;
  out->body = current_ ? current_->body : 0;
  return out;
}

void Robot::publish() noexcept {
  mailbox_.out.publish();
  io_.wake();  // at once: what follows in this tick can wait
}

}  // namespace cambium::runtime
