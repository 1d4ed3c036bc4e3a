#include "examples/reach/drive_loop.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/base/clock.hpp"

namespace cambium::reach {

void drive(Client& client, Arm& arm, GoalSampler& goals, const std::function<bool()>& next_tick,
           DriveReport& report, Teacher* teacher) {
  const double period = arm.model().period();
  // The rest of the period is for the physics.
  const std::chrono::microseconds patience(static_cast<std::int64_t>(0.8e6 * period));
  std::vector<float> joints(arm.model().dof());
  std::vector<double> command(arm.model().dof());
  Attempt attempt(goals.next(arm.tool()), period);
  arm.show_goal(attempt.goal());
  client.start_episode();
  const auto next_goal = [&] {
    attempt = Attempt(goals.next(arm.tool()), period);
    arm.show_goal(attempt.goal());
  };
  std::uint64_t taught_generation = 0;  // 0: not known yet
  while (next_tick()) {
    const Point tool = arm.tool();
    const float tool_f[] = {static_cast<float>(tool[0]), static_cast<float>(tool[1]),
                            static_cast<float>(tool[2])};
    const Point& goal = attempt.goal();
    const float goal_f[] = {static_cast<float>(goal[0]), static_cast<float>(goal[1]),
                            static_cast<float>(goal[2])};
    std::transform(arm.joint_position().begin(), arm.joint_position().end(), joints.begin(),
                   [](double q) { return static_cast<float>(q); });

    ActionReply reply;
    const auto sent = base::monotonic_ns();
    Status status = client.set("joint_position", joints);
    if (status.ok()) status = client.set("tool", tool_f);
    if (status.ok()) status = client.set("goal", goal_f);
    if (status.ok() && teacher) status = teacher->show(client, arm.joint_position(), goal);
    // Without a connection, act() is what looks for one.
    if (status.ok() || status.code() == Code::unavailable) status = client.act(reply, patience);
    ++report.ticks;
    if (status.code() == Code::stale) report.body_changed = true;
    if (report.body_changed) return;

    std::fill(command.begin(), command.end(), 0.0);
    const bool answered = status.ok() && reply.values.size() == command.size();
    if (answered) {
      report.round_trip.add(base::monotonic_ns() - sent);
      report.generation = reply.generation;
      std::copy(reply.values.begin(), reply.values.end(), command.begin());
    } else {
      ++report.timeouts;
    }
    arm.step(command);
    if (!answered || reply.drive != (teacher ? Drive::demonstration : Drive::policy)) {
      report.holds += answered;
      continue;
    }
    const Verdict verdict = attempt.update(arm.tool());
    if (teacher) {
      if (taught_generation == 0) taught_generation = reply.generation;
      const bool learned = reply.generation != taught_generation;
      if (!learned && verdict == Verdict::running && attempt.time() < teacher->time_limit())
        continue;
      ++report.taught;
      teacher->next_episode();
      if (learned) teacher = nullptr;  // a policy has taken over: let it
      next_goal();
      client.start_episode();
      continue;
    }
    if (verdict == Verdict::running) continue;
    ++report.targets;
    report.reached += verdict == Verdict::reached;
    next_goal();
  }
}

}  // namespace cambium::reach
