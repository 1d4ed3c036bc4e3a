#include <algorithm>

#include "examples/tasks/trial.hpp"
#include "tests/unit/tasks/bodies.hpp"

namespace cambium::tasks {
namespace {

Start start_of(Sampler& sampler, std::uint32_t index) {
  auto start = sampler.draw(7, index);
  if (!start) throw std::runtime_error("no attempt");
  return std::move(*start);
}

double gap_between(const Point& a, const Point& b, const Point& centre) {
  double along = 0, length = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    along += (b[i] - a[i]) * (centre[i] - a[i]);
    length += (b[i] - a[i]) * (b[i] - a[i]);
  }
  const double part = std::clamp(along / length, 0.0, 1.0);
  Point nearest;
  for (std::size_t i = 0; i < 3; ++i) nearest[i] = a[i] + part * (b[i] - a[i]);
  return distance(nearest, centre);
}

TEST(ChooseTask, IsDoneByTheExpert) {
  for (const char* name : {"so101", "ur5e", "panda7", "random:5"})
    EXPECT_GE(expert_success(body_of(name, TaskKind::choose), 67), 0.97) << name;
}

TEST(ChooseTask, BlocksTheStraightWayOfAtLeastHalfOfTheAttempts) {
  const TaskBody body = body_of("so101", TaskKind::choose);
  Sampler sampler(body);
  Teacher teacher(body);
  constexpr int kAttempts = 100;
  int blocked = 0;
  for (int i = 0; i < kAttempts; ++i) {
    const Start start = start_of(sampler, static_cast<std::uint32_t>(i));
    blocked += gap_between(teacher.tool(start.q), start.scene.target, start.scene.obstacle) <
               teacher.sizes().obstacle;
  }
  EXPECT_GE(blocked, kAttempts / 2);
  EXPECT_LT(blocked, kAttempts) << "there would be nothing to tell apart";
}

TEST(ChooseTask, KeepsCandidatesApartAndTheObstacleAwayFromStartAndTarget) {
  for (const char* name : {"planar3", "so101", "random:2"}) {
    const TaskBody body = body_of(name, TaskKind::choose);
    Sampler sampler(body);
    Teacher teacher(body);
    const double apart = body.model->goal_radius() / 4;
    std::array<int, 3> flagged{};
    for (std::uint32_t i = 0; i < 40; ++i) {
      const auto [q, scene] = start_of(sampler, i);
      ++flagged[scene.flagged];
      EXPECT_GE(distance(scene.target, scene.decoys[0]), apart);
      EXPECT_GE(distance(scene.target, scene.decoys[1]), apart);
      EXPECT_GE(distance(scene.decoys[0], scene.decoys[1]), apart);
      const double clear = teacher.sizes().obstacle + reach::kTolerance;
      EXPECT_GE(distance(scene.obstacle, scene.target), clear);
      EXPECT_GE(distance(scene.obstacle, teacher.tool(q)), clear);
    }
    for (const int count : flagged) EXPECT_GT(count, 0) << name;
  }
}

TEST(ChooseTask, IsLostByTouchingTheObstacle) {
  const TaskBody body = body_of("so101", TaskKind::choose);
  Sampler sampler(body);
  Trial trial(body);
  reach::Expert straight(*body.model);
  Start start = start_of(sampler, 0);
  start.scene.target = start.scene.obstacle;
  trial.begin(start);
  std::vector<double> velocity(body.embodiment.dof());
  Verdict verdict = Verdict::running;
  while (verdict == Verdict::running) {
    straight.velocity(trial.joint_position(), start.scene.obstacle, velocity);
    verdict = trial.step(velocity);
  }
  EXPECT_EQ(verdict, Verdict::missed);
  EXPECT_LT(trial.time(), 1.5);
  EXPECT_LT(distance(trial.arm().tool(), start.scene.obstacle), Sizes(body.embodiment).obstacle);
}

TEST(ChooseTask, TellsThePolicyWhichCandidateIsFlagged) {
  const TaskBody body = body_of("so101", TaskKind::choose);
  ASSERT_EQ(body.embodiment.sensors[2].name, "candidates");
  EXPECT_EQ(body.embodiment.sensors[2].shape, (std::vector<std::uint32_t>{3, 4}));
  Sampler sampler(body);
  Trial trial(body);
  for (std::uint32_t i = 0; i < 10; ++i) {
    const Start start = start_of(sampler, i);
    trial.begin(start);
    const auto rows = trial.readings()[2];
    for (std::size_t row = 0; row < 3; ++row)
      EXPECT_EQ(rows[4 * row + 3], row == start.scene.flagged ? 1.0F : 0.0F);
    EXPECT_EQ(rows[4 * start.scene.flagged], static_cast<float>(start.scene.target[0]));
    const Scene read = scene_of(TaskKind::choose, trial.readings());
    EXPECT_LT(distance(read.target, start.scene.target), 1e-6);
    EXPECT_LT(distance(read.decoys[1], start.scene.decoys[1]), 1e-6);
    EXPECT_LT(distance(read.obstacle, start.scene.obstacle), 1e-6);
  }
}

}  // namespace
}  // namespace cambium::tasks
