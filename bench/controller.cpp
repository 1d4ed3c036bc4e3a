#include "bench/controller.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "bench/pace.hpp"
#include "core/base/realtime.hpp"

namespace cambium::bench {
namespace {

// Below the host's own threads: what a controller does must not delay an answer.
constexpr int kPriority = 50;
constexpr auto kMeet = std::chrono::milliseconds(20);
// An answer later than a period is a missed one; that it comes at all is worth the wait, because a
// client that hears nothing says hello again.
constexpr int kPatience = 5;
// A longer gap between two observations is a pause to the host (5 periods, less what jitter makes
// of it): its gate goes on from what was measured.
constexpr int kPauseTicks = 4;
constexpr double kFastest = 500;  // [Hz] of the bench's arms

}  // namespace

Controller::Controller(std::string endpoint, std::string robot, const std::atomic<Phase>& phase,
                       double seconds, base::Nanoseconds out_since)
    : endpoint_(std::move(endpoint)),
      robot_(std::move(robot)),
      phase_(phase),
      took_over_(out_since != 0) {
  const auto most = static_cast<std::size_t>(seconds * kFastest);
  seen_.quiet_us.reserve(most);
  seen_.busy_us.reserve(most);
  seen_.missed_at.reserve(kMissedKept);
  if (out_since != 0) seen_.outages.push_back({.begin = out_since});
  thread_ = std::thread([this] { run(); });
}

void Controller::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Controller::run() {
  base::name_thread("bench-" + robot_);
  seen_.realtime = base::make_thread_realtime(kPriority).has_value();
  auto client = Client::open({.endpoint = endpoint_, .robot = robot_});
  if (!client) return;
  while (!stop_) {
    const auto info = client->wait(kMeet);
    if (!info) continue;
    const bool takes_over = arm_.is(*info) || (arm_.position().empty() && took_over_);
    if (!arm_.is(*info)) arm_.start(*info);
    if (takes_over) arm_.pause();
    generation_ = 0;  // of the welcome; the next answer may be of a later one
    Pace pace(std::chrono::duration<double>(arm_.period_s()));
    while (!stop_ && client->robot() != nullptr) {
      pace.wait();
      tick(*client);
    }
  }
  seen_.first_fault = arm_.first_fault();
}

void Controller::tick(Client& client) {
  const Misdeed misdeed = misdeed_.exchange(Misdeed::none, std::memory_order_relaxed);
  if (misdeed == Misdeed::stall) {
    for (int i = 0; i < 50 && !stop_; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    arm_.pause();
  }
  time_ += arm_.period_s();
  const std::array<float, 3> tool = {0.5F, 0.0F, 0.3F};
  std::array<float, 3> goal = {0.4F, static_cast<float>(0.3 * std::sin(time_)), 0.3F};
  if (misdeed == Misdeed::not_finite) goal[1] = std::numeric_limits<float>::quiet_NaN();
  if (!client.set("joint_position", arm_.position()).ok() || !client.set("tool", tool).ok() ||
      !client.set("goal", goal).ok()) {
    return;
  }
  ActionReply reply;

  const auto period = static_cast<base::Nanoseconds>(arm_.period_s() * 1e9);
  const Phase phase = phase_.load(std::memory_order_relaxed);
  const base::Nanoseconds begin = base::monotonic_ns();
  if (begin - std::exchange(last_sent_, begin) > kPauseTicks * period) arm_.pause();
  const Status done = client.act(reply, std::chrono::microseconds(kPatience * period / 1000));
  const base::Nanoseconds now = base::monotonic_ns();
  if (!done.ok() && client.robot() == nullptr && done.code() == Code::stale) {
    ++seen_.refused;  // there is another body: what was asked makes no sense any more
    return note(Drive::waiting, now);
  }
  if (phase != Phase::starting) {
    ++seen_.ticks;
    const bool late = !done.ok() || now - begin > period;
    seen_.unanswered += late;
    seen_.quiet_unanswered += late && phase == Phase::quiet;
    if (late && seen_.missed_at.size() < kMissedKept) seen_.missed_at.push_back(now);
  }
  if (!done.ok()) {
    arm_.brake();
    return note(Drive::waiting, now);
  }
  const auto judgement = arm_.follow(reply.values);
  seen_.out_of_limit += judgement.broke_limits;
  if (reply.generation != generation_) {
    ++seen_.generations;
    if (judgement.steps >= 0) {
      ++seen_.seams;
      auto& most = judgement.from_rest ? seen_.first_steps_max : seen_.seam_steps_max;
      most = std::max(most, judgement.steps);
    }
    generation_ = reply.generation;
  }
  if (phase >= Phase::quiet && phase == phase_.load(std::memory_order_relaxed)) {
    auto& into = phase == Phase::quiet ? seen_.quiet_us : seen_.busy_us;
    if (into.size() < into.capacity()) into.push_back(static_cast<float>(now - begin) * 1e-3F);
  }
  note(reply.drive, now);
}

void Controller::note(Drive drive, base::Nanoseconds now) {
  const bool out = !seen_.outages.empty() && seen_.outages.back().end == 0;
  if (drive == Drive::policy) {
    ++seen_.policy_ticks;
    if (out) seen_.outages.back().end = now;
    last_driven_.store(now, std::memory_order_relaxed);
  } else if (!out && last_driven() != 0) {
    seen_.outages.push_back({.begin = now});
  }
}

}  // namespace cambium::bench
