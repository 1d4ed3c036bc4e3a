#include "core/runtime/recording.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include "core/runtime/robot.hpp"
#include "core/runtime/worker.hpp"

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kAbandoned = 5 * base::kSecond;
// Pictures are left out: a graft reads none, and their memory would be the robot's worker's to
// fill.
constexpr std::uint64_t kLargestReading = 4096;    // numbers
constexpr std::size_t kWaiting = 16 << 20;         // [bytes] of rows that nobody took yet
constexpr double kWaitingSeconds = 4;              // of a robot's time, if they fit into that
constexpr std::size_t kTaken = 512 << 10;          // [bytes] in one message
constexpr base::Nanoseconds kLongestGapTicks = 5;  // as of a pause of the controller

std::uint64_t any_ticket() {
  std::random_device random;
  // Exact in a double, too: some readers of JSON have nothing else.
  return ((std::uint64_t{random()} << 32 | random()) >> 11) | 1;
}

}  // namespace

Result<RecordingInfo> Recording::begin(const plugin::Embodiment& body, std::uint64_t number,
                                       Robot& robot, Worker& worker) {
  const std::lock_guard lock(taking_);
  if (recorder_)
    return Error{Code::busy,
                 "robot '" + robot.name() + "' is being recorded already; one at a time"};
  RecordingInfo info{.ticket = any_ticket(), .body = body, .shape = {}, .left_out = {}};
  auto& shape = info.shape;
  for (std::uint32_t i = 0; i < body.sensors.size(); ++i) {
    if (body.sensors[i].size() > kLargestReading) {
      info.left_out.push_back(body.sensors[i].name);
      continue;
    }
    shape.sensors.push_back(i);
    shape.observation += static_cast<std::uint32_t>(body.sensors[i].size());
  }
  shape.body = number;
  shape.dof = static_cast<std::uint32_t>(body.dof());
  shape.longest_gap = static_cast<base::Nanoseconds>(1e9 / body.control_hz) * kLongestGapTicks;
  const auto fit = kWaiting / (shape.row_size() * sizeof(float));
  const auto rows =
      static_cast<std::size_t>(std::clamp(kWaitingSeconds * body.control_hz, 64., 8192.));
  recorder_ = std::make_unique<Recorder>(shape, static_cast<std::uint32_t>(std::min(rows, fit)));
  ticket_ = info.ticket;
  taken_ = base::monotonic_ns();
  worker.record(robot, recorder_.get());
  under_way_ = true;
  return info;
}

Result<TakenRows> Recording::take(std::uint64_t ticket) {
  const std::lock_guard lock(taking_);
  if (!recorder_ || ticket != ticket_)
    return Error{Code::not_found, "this recording is over: its rows were not taken in time"};
  taken_ = base::monotonic_ns();
  const std::size_t row = recorder_->shape().row_size() * sizeof(float);
  return recorder_->take(std::max<std::size_t>(kTaken / row, 1));
}

void Recording::end(std::uint64_t ticket, Robot& robot, Worker& worker) {
  const std::lock_guard lock(taking_);
  if (recorder_ && ticket == ticket_) let_go(robot, worker);
}

void Recording::tidy(base::Nanoseconds now, Robot& robot, Worker& worker) {
  if (!under_way()) return;
  const std::lock_guard lock(taking_);
  if (recorder_ && now - taken_ > kAbandoned) let_go(robot, worker);
}

void Recording::let_go(Robot& robot, Worker& worker) {
  worker.record(robot, nullptr);
  recorder_.reset();
  under_way_ = false;
}

}  // namespace cambium::runtime
