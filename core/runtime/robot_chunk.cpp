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

OutFrame* Robot::begin_chunk(const Inference::Request& request) noexcept {
  OutFrame* out = begin(OutFrame::Kind::chunk, request.sequence, current_.get());
  if (!out) return nullptr;
  out->rows = current_->lockstep.rows();
  out->columns = current_->dof;
  out->drive = Drive::policy;
  out->code = Code::ok;
  out->compute_us = 0;
  return out;
}

void Robot::end_chunk(const OutFrame& out) noexcept {
  counters_.drive.store(out.drive, std::memory_order_relaxed);
  counters_.reason.store(out.code, std::memory_order_relaxed);
  publish();
  count(counters_.ticks);
}

// Every action of a chunk passes the gate as if it were played: from the measured position,
// integrated. `wish(row, position)` writes what is asked for in a row.
template <class Wish>
GateVerdict Robot::gate_rows(OutFrame& out, base::Nanoseconds readable, Wish wish) noexcept {
  Generation& now = *current_;
  auto& played = now.lockstep;
  std::copy(now.safe_position.begin(), now.safe_position.end(), played.position.begin());
  const std::span<float> position(played.position);
  const double dt = static_cast<double>(now.period) * 1e-9;
  if (played.observed != 0) {
    const auto ticks = (readable - played.observed + now.period / 2) / now.period;
    const auto row =
        static_cast<std::size_t>(std::clamp<base::Nanoseconds>(ticks, 1, out.rows) - 1) * now.dof;
    now.gate.resume(std::span(played.velocity).subspan(row, now.dof),
                    std::span(played.target).subspan(row, now.dof),
                    std::span(played.acceleration).subspan(row, now.dof));
  }
  played.observed = readable;
  GateVerdict all;
  for (std::uint32_t t = 0; t < out.rows; ++t) {
    const std::span<float> row(out.values.get() + std::size_t{t} * now.dof, now.dof);
    wish(row, position);
    const GateVerdict verdict = now.gate.pass(row, position, dt);
    all.limited |= verdict.limited;
    all.violations |= verdict.violations;
    for (std::uint32_t j = 0; j < now.dof; ++j) {
      position[j] = static_cast<float>(position[j] + now.gate.velocity()[j] * dt);
      played.velocity[std::size_t{t} * now.dof + j] = now.gate.velocity()[j];
      played.target[std::size_t{t} * now.dof + j] = now.gate.target()[j];
      played.acceleration[std::size_t{t} * now.dof + j] = now.gate.acceleration()[j];
    }
  }
  out.limited = all.limited;
  return all;
}

void Robot::answer_chunk() noexcept {
  Generation& now = *current_;
  const auto& request = now.inference.request();
  OutFrame* out = begin_chunk(request);
  if (!out) return;
  const auto chunk = now.inference.chunk();
  std::copy(chunk.begin(), chunk.end(), out->values.get());
  out->compute_us = now.inference.compute_us();
  const GateVerdict verdict = gate_rows(*out, request.readable, [](auto, auto) {});
  if (request.patience != 0 && now.gate.stopped()) {  // until a new episode or a swap
    out->drive = Drive::damped_stop;
    out->code = Code::limit;
  }
  now.own_chunk = true;
  now.reason = Code::ok;
  count(counters_.chunks);
  end_chunk(*out);
  if (trial_.running()) judge_tick(true, verdict);
}

// The chunk that the controller waits for does not come. Who wants an answer all the same is
// brought to rest where it is, and held there, by the same gate.
void Robot::answer_without_chunk(const Inference::Request& request, Code code,
                                 const char* what) noexcept {
  if (request.patience == 0) return notice(request.sequence, code, what);
  Generation& now = *current_;
  OutFrame* out = begin_chunk(request);
  if (!out) return;
  gate_rows(*out, request.readable, [&](std::span<float> row, std::span<const float> position) {
    now.ladder.hold(position, now.gate.target(), row);
  });
  out->drive = now.gate.stopped() ? Drive::damped_stop : Drive::hold;
  out->code = now.gate.stopped() ? Code::limit : code;
  end_chunk(*out);
}

}  // namespace cambium::runtime
