// How a robot answers in lockstep: with the policy's chunk, or with rows that hold. The rest of
// Robot is in robot.cpp.
#include <algorithm>

#include "core/runtime/robot.hpp"

namespace cambium::runtime {
namespace {

void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

// Every action of a chunk passes the gate as if it were played: from the measured position,
// integrated. `wish(t, position, row)` writes what row t asks for where the ones before lead to.
template <class Wish>
Robot::Sent Robot::send_chunk(const Inference::Request& request, Drive drive, Code code,
                              Wish wish) noexcept {
  Generation& now = *current_;
  auto& played = now.lockstep;
  OutFrame* out = begin(OutFrame::Kind::chunk, request.sequence, &now);
  if (!out) return {};
  out->rows = played.rows();
  out->columns = now.dof;
  out->compute_us = drive == Drive::policy ? now.inference.compute_us() : 0;
  std::copy(now.safe_position.begin(), now.safe_position.end(), played.position.begin());
  const std::span<float> position(played.position);
  const double dt = static_cast<double>(now.period) * 1e-9;
  if (played.observed != 0) {
    const auto ticks = (request.readable - played.observed + now.period / 2) / now.period;
    const auto row =
        static_cast<std::size_t>(std::clamp<base::Nanoseconds>(ticks, 1, out->rows) - 1) * now.dof;
    now.gate.resume(std::span(played.velocity).subspan(row, now.dof),
                    std::span(played.target).subspan(row, now.dof),
                    std::span(played.acceleration).subspan(row, now.dof));
  }
  played.observed = request.readable;
  Sent sent{.sent = true, .verdict = {}};
  for (std::uint32_t t = 0; t < out->rows; ++t) {
    const std::span<float> row(out->values.get() + std::size_t{t} * now.dof, now.dof);
    wish(t, position, row);
    const GateVerdict verdict = now.gate.pass(row, position, dt);
    sent.verdict.limited |= verdict.limited;
    sent.verdict.violations |= verdict.violations;
    for (std::uint32_t j = 0; j < now.dof; ++j) {
      position[j] = static_cast<float>(position[j] + now.gate.velocity()[j] * dt);
      played.velocity[std::size_t{t} * now.dof + j] = now.gate.velocity()[j];
      played.target[std::size_t{t} * now.dof + j] = now.gate.target()[j];
      played.acceleration[std::size_t{t} * now.dof + j] = now.gate.acceleration()[j];
    }
  }
  out->limited = sent.verdict.limited;
  // Until a new episode or a swap. Whoever does not ask for rows that hold does not look at this.
  const bool stopped = request.patience != 0 && now.gate.stopped();
  out->drive = stopped ? Drive::damped_stop : drive;
  out->code = stopped ? Code::limit : code;
  counters_.drive.store(out->drive, std::memory_order_relaxed);
  counters_.reason.store(out->code, std::memory_order_relaxed);
  publish();
  count(counters_.ticks);
  return sent;
}

void Robot::answer_chunk() noexcept {
  Generation& now = *current_;
  const auto chunk = now.inference.chunk();
  const Sent sent =
      send_chunk(now.inference.request(), Drive::policy, Code::ok,
                 [&](std::uint32_t t, std::span<const float>, std::span<float> row) {
                   std::copy_n(chunk.begin() + std::ptrdiff_t{t} * now.dof, now.dof, row.begin());
                 });
  if (!sent.sent) return;
  now.own_chunk = true;
  now.reason = Code::ok;
  count(counters_.chunks);
  if (trial_.running()) judge_tick(true, sent.verdict);
}

// The chunk that the controller waits for does not come. Who wants an answer all the same is
// brought to rest where it is, and held there.
void Robot::answer_without_chunk(const Inference::Request& request, Code code,
                                 const char* what) noexcept {
  if (request.patience == 0) return notice(request.sequence, code, what);
  Generation& now = *current_;
  send_chunk(request, Drive::hold, code,
             [&](std::uint32_t, std::span<const float> position, std::span<float> row) {
               now.ladder.hold(position, now.gate.target(), row);
             });
}

}  // namespace cambium::runtime
