#include "core/runtime/robot.hpp"

#include <algorithm>
#include <bit>
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

Robot::Robot(std::uint32_t id, std::string name, std::uint32_t message_floats, base::Waker& io,
             std::uint64_t first_episode)
    : id_(id),
      name_(std::move(name)),
      io_(io),
      mailbox_(message_floats),
      memory_(counters_.memory, first_episode) {}

bool Robot::answer() noexcept {
  answering_ = true;
  ObservationFrame* frame = mailbox_.observations.front();
  while (frame != nullptr && !frame->want_chunk) {
    handle_observation(*frame);
    mailbox_.observations.pop();
    frame = mailbox_.observations.front();
  }
  answering_ = false;
  return frame == nullptr && !(thought_.open && request_due(base::monotonic_ns()));
}

void Robot::handle_messages() noexcept {
  take_memory();
  // Observations first: a controller waits for each; features only refill the chunk.
  while (ObservationFrame* frame = mailbox_.observations.front()) {
    handle_observation(*frame);
    mailbox_.observations.pop();
  }
  if (std::exchange(thought_.open, false) && request_due(base::monotonic_ns()))
    thought_.shown ? ask_shadow(thought_) : request_chunk(thought_, /*lockstep=*/false);
  while (FeaturesFrame* frame = mailbox_.features.front()) {
    handle_features(*frame);
    mailbox_.features.pop();
  }
  if (comparison_) poll(*other_);  // first: see shadow_chunk()
  if (current_) poll(*current_);
  if (due_in() == 0) advance(*current_, current_->inference.expire());
}

// Only a controller that wants an answer in any case is waited for by the clock.
base::Nanoseconds Robot::due_in() const noexcept {
  if (!current_ || !current_->inference.under_way()) return -1;
  const auto& request = current_->inference.request();
  if (request.patience == 0) return -1;
  return std::max<base::Nanoseconds>(request.sent + request.patience - base::monotonic_ns(), 0);
}

void Robot::handle_observation(const ObservationFrame& frame) noexcept {
  bool finite = true;
  take_memory();  // what the frame speaks of was there before it
  if (!accept(frame, finite)) {
    count(counters_.refused);
    if (recorder_) recorder_->skip(false);
    return;
  }
  if (frame.demonstrated != 0 && frame.want_chunk)
    return notice(frame.sequence, Code::bad_argument,
                  "a demonstration is answered with its action, not with a chunk");
  Generation& now = *current_;
  keep_time(frame, finite);
  if (frame.episode_start) start_again(frame);
  if (finite) {
    now.window.keep();
    if (comparison_) other_->window.push_newest_of(now.window);
    const auto position = now.window.newest(now.position_sensor);
    std::copy(position.begin(), position.end(), now.safe_position.begin());
  }
  if (frame.want_chunk) {
    if (recorder_) recorder_->skip(false);
    if (!finite)
      return notice(frame.sequence, Code::not_finite, "the observation holds NaN or infinity");
    return request_chunk({true, frame.sequence, frame.readable, frame.patience}, /*lockstep=*/true);
  }
  act(frame, finite);
  // Not `now`: a fault may just have brought another generation back.
  const bool shown = frame.demonstrated != 0;
  if (finite && (shown ? comparison_ != nullptr : current_->inference.policy() != nullptr))
    thought_ = {
        .open = true, .sequence = frame.sequence, .readable = frame.readable, .shown = shown};
}

bool Robot::request_due(base::Nanoseconds time) const noexcept {
  const Generation& now = *current_;
  if (thought_.shown) return comparison_ != nullptr && tick_ - shadow_tick_ >= now.replan_every;
  if (now.inference.under_way()) return time - now.inference.request().sent >= patience();
  return now.last_request_tick == 0 || tick_ - now.last_request_tick >= now.replan_every ||
         now.player.row(tick_).empty();
}

// An answer after the last row of the chunk would have been played is worth nothing.
base::Nanoseconds Robot::patience() const noexcept {
  const Policy& policy = *current_->inference.policy();
  return std::min(policy.shape().horizon * current_->period, kRequestTimeout);
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
  const auto ticks = frame.want_chunk ? now.lockstep.rows() + kPauseTicks : kPauseTicks;
  if (first || !finite || (gap <= ticks * now.period && !frame.episode_start)) return;
  now.lockstep.observed = 0;
  if (gap > base::kSecond) return now.gate.rest();  // it has stopped, or was moved by hand
  now.gate.start_from(now.safe_position, now.window.staged(now.position_sensor),
                      static_cast<double>(gap) * 1e-9);
}

void Robot::start_again(const ObservationFrame& frame) noexcept {
  Generation& now = *current_;
  if (!frame.same_task) memory_.begin_anew();
  if (comparison_) other_->window.clear();
  now.window.clear();
  thought_.open = false;  // of an observation that is forgotten, and perhaps no other comes
  now.player.clear();
  now.ladder.reset();
  now.gate.release();
  if (now.inference.under_way() && now.inference.request().lockstep)
    notice(now.inference.request().sequence, Code::stale, "a new episode began");
  now.inference.cancel();
  now.last_request_tick = 0;
  now.reason = Code::unavailable;
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
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (frame.sizes[i] != sizes[i]) {
      std::snprintf(text, sizeof text, "robot '%s': reading %zu has %u numbers, its sensor has %u",
                    name_.c_str(), i, frame.sizes[i], sizes[i]);
      notice(frame.sequence, Code::bad_data, text);
      return false;
    }
  }
  const bool fits = frame.demonstrated == 0 || frame.demonstrated == current_->dof;
  if (!fits || (frame.labelled != 0 && frame.labelled != frame.demonstrated)) {
    std::snprintf(text, sizeof text,
                  "robot '%s': %u numbers are demonstrated and %u are their label, it has %u "
                  "joints",
                  name_.c_str(), frame.demonstrated, frame.labelled, current_->dof);
    notice(frame.sequence, Code::bad_data, text);
    return false;
  }
  return take_readings(frame, finite);
}

// Copies all readings beside the window, where they can still be refused.
bool Robot::take_readings(const ObservationFrame& frame, bool& finite) noexcept {
  ObservationWindow& window = current_->window;
  const float* values = frame.values.get();
  finite = true;
  window.stage();
  for (std::size_t i = 0; i < frame.reading_count; ++i) {
    const auto to = window.staged(i);
    bool numbers = true;
    if (!frame.is_shared(i)) {
      std::copy_n(values, to.size(), to.begin());
      numbers = std::all_of(to.begin(), to.end(), [](float x) { return std::isfinite(x); });
      values += to.size();
    } else if (const Status read = frames_ && frames_->number == frame.memory
                                       ? frames_->read(frame.places[i], to, numbers)
                                       : Status(Code::stale);
               !read.ok()) {
      const bool stale = read.code() == Code::stale;
      if (stale) count(counters_.overwritten);
      char text[sizeof(OutFrame::text)];
      std::snprintf(text, sizeof text,
                    stale ? "robot '%s': reading %zu was overwritten before the host came to it"
                          : "robot '%s': reading %zu lies nowhere in the controller's memory",
                    name_.c_str(), i);
      notice(frame.sequence, read.code(), text);
      return false;
    }
    finite = finite && numbers;
  }
  return true;
}

// What was read until now goes to the io thread, which lets go of it elsewhere.
void Robot::take_memory() noexcept {
  while (auto* next = mailbox_.memory.front()) {
    if (frames_) {
      auto* spent = mailbox_.spent.loan();
      if (!spent) return;
      *spent = std::move(frames_);
      mailbox_.spent.publish();
      if (!answering_) io_.wake();
    }
    frames_ = std::move(*next);
    mailbox_.memory.pop();
    counters_.shared_bytes.store(frames_ ? frames_->bytes() : 0, std::memory_order_relaxed);
  }
}

void Robot::act(const ObservationFrame& frame, bool finite) noexcept {
  Generation& now = *current_;
  OutFrame* out = begin(OutFrame::Kind::action, frame.sequence, &now);
  if (!out) {  // the io thread is far behind: this tick has no action, but it has passed
    ++tick_;
    if (recorder_) recorder_->skip(false);
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
  const bool old_chunk = frame.readable - now.chunk_observed >
                         now.period * now.player.rows() + now.max_observation_age;
  if (frame.demonstrated != 0) set_policy_aside();
  const bool shown = frame.demonstrated != 0 && finite && !aged;
  const auto row = finite && !aged && !old_chunk ? now.player.row(tick_) : std::span<const float>();
  Code reason = now.reason;
  if (shown) {
    std::copy_n(frame.command.begin(), now.dof, action.begin());
    learn(frame);
    now.ladder.reset();
    out->drive = Drive::demonstration;
    out->chunk_index = 0;
    reason = Code::ok;
    count(counters_.shown_ticks);
  } else if (!row.empty()) {
    std::copy(row.begin(), row.end(), action.begin());
    out->drive = reason == Code::ok ? Drive::policy : Drive::finish_chunk;
    out->chunk_index = now.player.index(tick_);
    now.ladder.reset();
    if (reason == Code::ok) count(counters_.policy_ticks);
  } else {
    const bool stale = aged || (old_chunk && now.player.rows() != 0);
    if (reason == Code::ok) reason = Code::timeout;  // nothing is wrong, but the next chunk is late
    if (stale) reason = Code::stale;
    if (!finite) reason = Code::not_finite;
    const Drive rung = now.ladder.step(position, now.gate.target(), action);
    out->drive = now.player.rows() == 0 && rung == Drive::hold ? Drive::waiting : rung;
    out->chunk_index = 0;
  }
  const base::Nanoseconds holds = std::clamp<base::Nanoseconds>(credit_, kShortest, now.period);
  credit_ -= holds;
  const GateVerdict verdict = now.gate.pass(action, position, static_cast<double>(holds) * 1e-9);
  if (verdict.limited != 0) count(counters_.limited);
  if (verdict.code ==
      Code::not_finite) {  // whoever drives spoke nonsense: what leaves is the way to rest
    out->drive = Drive::hold;
    reason = Code::not_finite;
  }
  if (now.gate.stopped()) {  // until a new episode or a swap
    out->drive = Drive::damped_stop;
    reason = Code::limit;
  }
  out->limited = verdict.limited;
  out->code = reason;
  counters_.drive.store(out->drive, std::memory_order_relaxed);
  counters_.reason.store(reason, std::memory_order_relaxed);
  const bool driven = out->drive == Drive::policy;
  publish();
  ++tick_;
  count(counters_.ticks);
  record_tick(frame, shown, verdict.refused);
  if (trial_.running()) judge_tick(driven, verdict);
}

void Robot::request_chunk(const Thought& about, bool lockstep) noexcept {
  Generation& now = *current_;
  if (lockstep) ++tick_;  // a lockstep call is a tick of its own, answered by the chunk
  if (!now.inference.policy()) {
    return answer_without_chunk(
        {.sequence = about.sequence, .patience = about.patience, .readable = about.readable},
        Code::unavailable, "the robot has no bundle: nothing was learned for it yet");
  }
  if (!lockstep && now.inference.under_way()) {
    advance(now, now.inference.expire());
    if (&now != current_.get()) return;  // it was taken back
  }
  Inference::Request request = {.tick = tick_ - 1,
                                .sequence = about.sequence,
                                .lockstep = lockstep,
                                .patience = about.patience,
                                .sent = base::monotonic_ns(),
                                .readable = about.readable};
  const auto& shape = now.inference.policy()->shape();
  const auto deadline_us =
      lockstep ? 0 : static_cast<std::uint32_t>(shape.horizon * now.period / 1000);
  if (comparison_) {
    shadow_asked_ = false;
    shadow_chunk(request, deadline_us);
  }
  OutFrame* out = begin(OutFrame::Kind::tokens, about.sequence, &now);
  if (!out) return;
  out->deadline_us = deadline_us;
  request.id = next_request();
  request.memory = memory_.step(request.id, about.readable);
  now.last_request_tick = tick_;
  advance(now, now.inference.begin(request, now.window, *out));
}

// Unique for a host.
std::uint64_t Robot::next_request() noexcept {
  return (std::uint64_t{id_} << 48) | ++requests_made_;
}

void Robot::poll(Generation& generation) noexcept {
  if (!generation.inference.elsewhere()) return;
  if (OutFrame* out = begin(OutFrame::Kind::tokens, 0, &generation)) {
    out->deadline_us = 0;
    advance(generation, generation.inference.poll(*out));
  }
}

void Robot::handle_features(const FeaturesFrame& frame) noexcept {
  memory_.hear(frame);
  if (current_ && current_->owns(frame)) {
    advance(*current_, current_->inference.on_features(frame));
  } else if (comparison_ && other_->owns(frame)) {
    advance(*other_, other_->inference.on_features(frame));
  }  // else of an old generation or given up: dropped
}

void Robot::advance(Generation& generation, Inference::Step step) noexcept {
  const bool acting = &generation == current_.get();
  const Inference& inference = generation.inference;
  switch (step) {
    case Inference::Step::wait:
      return;
    case Inference::Step::send:
      publish();
      return count(counters_.requests);
    case Inference::Step::chunk:
      if (acting) take_chunk(generation);
      if (!acting && std::exchange(shadow_asked_, false)) return compare_with_demonstrator();
      return compare();
    case Inference::Step::failed: {
      const auto& failure = inference.failure();
      if (!acting) {
        if (failure.own && trial_.running()) trial_.fail(failure.code, failure.what);
        return;
      }
      generation.reason = failure.code;
      if (inference.request().lockstep)
        answer_without_chunk(inference.request(), failure.code, failure.what);
      if (failure.own) fault(failure.code, failure.what);
      return;
    }
  }
}

void Robot::take_chunk(Generation& now) noexcept {
  const Inference& inference = now.inference;
  if (inference.request().lockstep) {
    answer_chunk();
  } else if (now.player.load(inference.chunk(), inference.chunk_tick(), tick_)) {
    count(counters_.chunks);
    now.chunk_observed = inference.request().readable;
    now.reason = Code::ok;
  } else {
    count(counters_.late_chunks);
    now.reason = Code::timeout;
  }
  now.own_chunk = true;
  if (inference.took() > now.period) {
    char what[sizeof trial_.what];
    std::snprintf(what, sizeof what, "its stems and head took %.1f ms, a control period has %.1f",
                  static_cast<double>(inference.took()) * 1e-6,
                  static_cast<double>(now.period) * 1e-6);
    fault(Code::timeout, what);
  }
}

void Robot::notice(std::uint64_t sequence, Code code, const char* text) noexcept {
  OutFrame* out = begin(OutFrame::Kind::notice, sequence, current_.get());
  if (!out) return;
  out->code = code;
  std::snprintf(out->text.data(), out->text.size(), "%s", text);
  publish();
}

OutFrame* Robot::begin(OutFrame::Kind kind, std::uint64_t sequence, const Generation* of) noexcept {
  OutFrame* out = mailbox_.out.loan();
  if (!out) return nullptr;
  out->kind = kind;
  out->sequence = sequence;
  out->generation = of ? of->number : 0;
  out->body = of ? of->body : 0;
  return out;
}

void Robot::publish() noexcept {
  mailbox_.out.publish();
  if (!answering_) io_.wake();  // at once: what follows in this tick can wait
}

}  // namespace cambium::runtime
