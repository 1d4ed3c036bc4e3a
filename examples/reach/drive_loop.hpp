// examples/reach/drive_loop.hpp: a simulated arm at the end of a socket: what a robot's controller
// does, tick after tick.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cambium/client.hpp"
#include "core/base/histogram.hpp"
#include "examples/reach/arm.hpp"
#include "examples/reach/task.hpp"
#include "examples/reach/teacher.hpp"

namespace cambium::reach {

/// What one run came to.
struct DriveReport {
  std::uint64_t ticks = 0;     ///< control periods
  std::uint64_t timeouts = 0;  ///< of these, without an answer in time
  std::uint64_t holds = 0;     ///< of these, answered while the policy did not drive
  std::uint64_t targets = 0;   ///< goals that were decided: reached, or missed after 4 s of policy
  std::uint64_t reached = 0;   ///< of these
  std::uint64_t taught = 0;    ///< episodes that a teacher has shown
  std::uint64_t generation = 0;  ///< last one seen
  base::Histogram round_trip;    ///< observation sent -> action in hand
  bool body_changed = false;     ///< the slot now holds another embodiment
};

/// Moves `arm` with the actions of `client`'s robot and gives it goals until `next_tick` returns
/// false or the robot gets another body. A tick without an answer keeps the arm still. Only ticks
/// that the policy drove count against a goal's time.
///
/// next_tick waits for the next control period; false ends the run. teacher: commands in the place
/// of the policy until the robot gets another generation; null: nobody does. [setup]
void drive(Client& client, Arm& arm, GoalSampler& goals, const std::function<bool()>& next_tick,
           DriveReport& report, Teacher* teacher = nullptr);

}  // namespace cambium::reach
