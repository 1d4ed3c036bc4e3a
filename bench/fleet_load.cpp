#include "bench/fleet_load.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "bench/quantile.hpp"

namespace cambium::bench {
namespace {

constexpr base::Nanoseconds kPatience = 20 * base::kSecond, kAfterTheEnd = 2 * base::kSecond;
constexpr base::Nanoseconds kLook = 50 * base::kMillisecond;
constexpr base::Nanoseconds kNever = std::numeric_limits<base::Nanoseconds>::max();

struct Sent {
  std::size_t robot = 0;
  base::Nanoseconds at = 0;
};

std::vector<float> some_values(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>((i * 2654435761u >> 8) % 1000) * 1e-3F - 0.5F;
  return values;
}

double seconds_of(base::Nanoseconds time) {
  return static_cast<double>(time) * 1e-9;
}

}  // namespace

double FleetReport::rows_per_s() const {
  double rows = 0;
  for (const auto& robot : robots) rows += static_cast<double>(robot.in_time) * robot.robot.tokens;
  return seconds > 0 ? rows / seconds : 0;
}

double FleetReport::worst_p99_of_deadline() const {
  double worst = 0;
  for (const auto& robot : robots)
    if (robot.robot.deadline > 0)
      worst = std::max(worst, robot.p99_ms / (static_cast<double>(robot.robot.deadline) * 1e-6));
  return worst;
}

FleetLoad::FleetLoad(trunk::TrunkLink link, std::function<bool()> stopped)
    : link_(std::move(link)), stopped_(std::move(stopped)) {}

Result<FleetLoad> FleetLoad::connect(transport::Context& context, const std::string& endpoint,
                                     std::function<bool()> stopped) {
  auto link = trunk::TrunkLink::open(context, endpoint, "bench mixed", 1 << 20);
  if (!link) return link.error();
  FleetLoad load(std::move(*link), std::move(stopped));
  trunk::FeaturesReply nothing;
  transport::Poller poller;
  poller.add(load.link_.socket());
  const base::Nanoseconds end = base::monotonic_ns() + kPatience;
  while (!load.link_.identity()) {
    const base::Nanoseconds now = base::monotonic_ns();
    if (load.stopped_()) return Error{Code::failed, "stopped"};
    if (now > end)
      return Error{Code::unavailable, "the trunk at '" + endpoint + "' does not answer"};
    load.link_.heartbeat(now);
    while (load.link_.receive(nothing, now)) {
    }
    poller.wait(5 * base::kMillisecond);
  }
  return load;
}

Result<FleetReport> FleetLoad::saturate(const std::vector<LoadRobot>& robots, double seconds) {
  return run(robots, seconds, true);
}

Result<FleetReport> FleetLoad::keep_asking(const std::vector<LoadRobot>& robots, double seconds) {
  return run(robots, seconds, false);
}

Result<FleetReport> FleetLoad::run(const std::vector<LoadRobot>& robots, double seconds,
                                   bool closed) {
  const trunk::TrunkInfo& trunk = *link_.identity();
  const std::vector<float> values = some_values(std::size_t{trunk.max_tokens} * trunk.width);
  std::unordered_map<std::uint64_t, Sent> under_way;
  std::vector<std::vector<double>> took_ms(robots.size());
  std::vector<base::Nanoseconds> next(robots.size());
  FleetReport report;
  base::Nanoseconds last_answer = 0;
  const base::Nanoseconds begin = base::monotonic_ns(),
                          end = begin + static_cast<base::Nanoseconds>(seconds * 1e9);
  for (std::size_t i = 0; i < robots.size(); ++i) {
    report.robots.emplace_back().robot = robots[i];
    // One after the other within a period, as robots are that know nothing of each other.
    if (!closed)
      next[i] = begin + robots[i].period * static_cast<base::Nanoseconds>(i) /
                            static_cast<base::Nanoseconds>(robots.size());
  }
  transport::Poller poller;
  poller.add(link_.socket());

  const auto ask = [&](std::size_t i, base::Nanoseconds now) {
    const std::uint64_t number = next_request_++;
    const auto& robot = robots[i];
    ++report.robots[i].asked;
    const Status sent =
        link_.send({.request = number,
                    .robot_id = static_cast<std::uint32_t>(i),
                    .trunk = trunk.id,
                    .deadline_us = closed ? 0 : static_cast<std::uint32_t>(robot.deadline / 1000),
                    .pooling = 1,  // mean, as most heads want
                    .count = robot.tokens,
                    .width = trunk.width,
                    .values = {values.data(), std::size_t{robot.tokens} * trunk.width}});
    if (sent.ok()) under_way[number] = {i, now};
    return sent;
  };
  const auto take = [&](const trunk::FeaturesReply& reply, base::Nanoseconds now) {
    const auto sent = under_way.find(reply.request);
    if (sent == under_way.end()) return;  // of an earlier run
    const std::size_t i = sent->second.robot;
    const base::Nanoseconds took = now - sent->second.at;
    under_way.erase(sent);
    last_answer = now;
    RobotLoad& robot = report.robots[i];
    if (reply.code == Code::busy) {
      ++robot.busy;
    } else if (reply.code == Code::timeout) {
      ++robot.expired;
    } else if (reply.code == Code::ok) {
      took_ms[i].push_back(static_cast<double>(took) * 1e-6);
      ++(!closed && took > robots[i].deadline ? robot.late : robot.in_time);
    } else {
      ++robot.lost;  // a refusal that nobody expects here
    }
    next[i] = closed ? now : next[i];
  };

  for (std::size_t i = 0; closed && i < robots.size(); ++i) next[i] = begin;
  for (;;) {
    base::Nanoseconds now = base::monotonic_ns();
    if (stopped_()) return Error{Code::failed, "stopped"};
    link_.heartbeat(now);
    trunk::FeaturesReply reply;
    while (link_.receive(reply, now)) take(reply, now = base::monotonic_ns());
    if (now >= end && (under_way.empty() || now >= end + kAfterTheEnd)) break;
    base::Nanoseconds wake = now + kLook;
    for (std::size_t i = 0; now < end && i < robots.size(); ++i) {
      if (now >= next[i]) {
        if (const Status sent = ask(i, base::monotonic_ns()); !sent.ok())
          return Error{sent.code(), "the trunk does not take what it is sent"};
        next[i] = closed ? kNever : next[i] + robots[i].period;
      }
      wake = std::min(wake, next[i]);
    }
    poller.wait(std::max<base::Nanoseconds>(0, wake - base::monotonic_ns()));
  }
  // Saturated, what was under way at the end belongs to the time until it was answered.
  report.seconds = seconds_of((closed ? std::max(last_answer, begin + 1) : end) - begin);
  for (const auto& [number, sent] : under_way) ++report.robots[sent.robot].lost;
  for (std::size_t i = 0; i < robots.size(); ++i) {
    report.robots[i].p50_ms = quantile(took_ms[i], 0.5);
    report.robots[i].p99_ms = quantile(took_ms[i], 0.99);
  }
  return report;
}

}  // namespace cambium::bench
