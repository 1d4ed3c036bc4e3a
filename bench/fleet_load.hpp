// bench/fleet_load.hpp: many robots of different kinds that ask one trunk, from one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/trunk/link.hpp"

namespace cambium::bench {

/// How a robot asks.
struct LoadRobot {
  std::uint32_t tokens = 32;
  base::Nanoseconds period = 0;    ///< between two requests
  base::Nanoseconds deadline = 0;  ///< 0: none
};

/// How it fared. Each request is in exactly one of the last five.
struct RobotLoad {
  LoadRobot robot;
  std::uint64_t asked = 0;
  std::uint64_t in_time = 0;
  std::uint64_t late = 0;         ///< features after the deadline, as the robot sees it
  std::uint64_t busy = 0;         ///< told that it will not be served
  std::uint64_t expired = 0;      ///< told that it is too late
  std::uint64_t lost = 0;         ///< not answered within two seconds after the end
  double p50_ms = 0, p99_ms = 0;  ///< from asking to features
};

struct FleetReport {
  std::vector<RobotLoad> robots;
  double seconds = 0;

  std::uint64_t sum(std::uint64_t RobotLoad::*count) const {
    std::uint64_t all = 0;
    for (const auto& robot : robots) all += robot.*count;
    return all;
  }
  std::uint64_t served() const { return sum(&RobotLoad::in_time) + sum(&RobotLoad::late); }
  double rows_per_s() const;
  /// The largest p99 in deadlines.
  double worst_p99_of_deadline() const;
};

/// A host's link with all its robots. Stops early and fails if `stopped` says so.
class FleetLoad {
 public:
  /// Waits up to twenty seconds for the trunk. [setup]
  static Result<FleetLoad> connect(transport::Context& context, const std::string& endpoint,
                                   std::function<bool()> stopped);

  /// Every robot asks again as soon as it is answered; periods and deadlines do not count. [setup]
  Result<FleetReport> saturate(const std::vector<LoadRobot>& robots, double seconds);
  /// Every robot asks in its period, answered or not. [setup]
  Result<FleetReport> keep_asking(const std::vector<LoadRobot>& robots, double seconds);

 private:
  FleetLoad(trunk::TrunkLink link, std::function<bool()> stopped);
  Result<FleetReport> run(const std::vector<LoadRobot>& robots, double seconds, bool closed);

  trunk::TrunkLink link_;
  std::function<bool()> stopped_;
  std::uint64_t next_request_ = 1;
};

}  // namespace cambium::bench
