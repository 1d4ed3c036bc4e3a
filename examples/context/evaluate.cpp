#include "examples/context/evaluate.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::context {

double Course::action_error_of(std::size_t goal) const {
  double sum = 0;
  for (std::size_t tick = goal * kGoalTicks; tick < goal * kGoalTicks + kFresh; ++tick)
    sum += action_error[tick];
  return sum / kFresh;
}

Result<Course> evaluate(Bodies bodies, const Actor& actor, const EvaluateOptions& options,
                        const std::function<bool(std::uint32_t)>& after_body) {
  Course course;
  course.action_error.assign(options.ticks, 0);
  course.action_error_rad_s.assign(options.ticks, 0);
  course.distance.assign(options.ticks, 0);
  const std::uint32_t goals = options.ticks / kGoalTicks;
  std::vector<std::vector<double>> errors(goals);
  std::mt19937_64 random(options.seed);
  std::vector<double> commanded(options.ticks, 0);  // [rad/s] by the expert
  std::uint32_t done = 0;
  while (done < options.bodies) {
    const Body body = draw_body(bodies, random);
    Episode episode(body, random(), options.wiggle);
    actor.begin(episode);
    while (episode.tick() < options.ticks) {
      const std::uint32_t tick = episode.tick();
      course.distance[tick] += episode.error();
      const auto command = actor.act(episode);
      if (!command) return command.error();
      const Joints right = expert(body, episode.q(), episode.goal());
      for (std::size_t j = 0; j < kDof; ++j) {
        course.action_error[tick] += std::abs((*command)[j] - right[j]);
        commanded[tick] += std::abs(right[j]);
      }
      // Where the tool is before the goal changes.
      const Point goal = episode.goal();
      episode.act(*command);
      if (episode.tick() % kGoalTicks == 0 && tick / kGoalTicks < goals)
        errors[tick / kGoalTicks].push_back(distance(tool_of(body, episode.q()), goal));
    }
    if (!after_body(++done)) break;
  }
  for (std::uint32_t tick = 0; tick < options.ticks; ++tick) {
    course.action_error_rad_s[tick] = course.action_error[tick] / (done * kDof);
    course.action_error[tick] /= commanded[tick];
    course.distance[tick] /= done;
  }
  for (auto& of_goal : errors) {
    const auto near = std::ranges::count_if(of_goal, [](double e) { return e <= kTolerance; });
    course.reached.push_back(static_cast<double>(near) / done);
    std::ranges::sort(of_goal);
    course.goal_error.push_back(of_goal[of_goal.size() / 2]);
  }
  return course;
}

}  // namespace cambium::context
