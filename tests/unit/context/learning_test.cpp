// The shipped trunk with memory, on bodies it has never seen, through the model that a trunk server
// runs. Bounds are far from what was measured (docs/learning.md).
#include <gmock/gmock.h>

#include <filesystem>
#include <stdexcept>

#include "core/learn/training.hpp"
#include "examples/context/evaluate.hpp"
#include "examples/context/mind.hpp"
#include "examples/context/open_arm.hpp"

namespace cambium::context {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

const std::filesystem::path kModels = MODELS_DIR;

Course drive(Bodies bodies, bool forgets, const EvaluateOptions& options) {
  const auto library = open_arm();
  if (!library) throw std::runtime_error(library.error().message);
  const auto mind = Mind::make(kModels / "context_stock.safetensors",
                               kModels / "context_arm.safetensors", **library, forgets);
  if (!mind) throw std::runtime_error(mind.error().message);
  const Actor actor = {[&](const Episode&) { (*mind)->begin(); },
                       [&](const Episode& episode) { return (*mind)->act(episode.state()); }};
  auto course = evaluate(bodies, actor, options, [](std::uint32_t) { return true; });
  if (!course) throw std::runtime_error(course.error().message);
  return *course;
}

class ContextOf : public testing::TestWithParam<Bodies> {};
INSTANTIATE_TEST_SUITE_P(Bodies, ContextOf, testing::Values(Bodies::trained, Bodies::held_out),
                         [](const auto& bodies) {
                           return bodies.param == Bodies::trained ? "fresh" : "held_out";
                         });

TEST_P(ContextOf, LowersTheErrorOnABodyNeverSeenWithinTheEpisode) {
  const Course course = drive(GetParam(), false, {.bodies = 40});
  EXPECT_GT(course.action_error[0], 0.8) << "nothing is known of the body yet";
  EXPECT_LT(course.action_error_of(3), 0.35);
  EXPECT_LT(course.action_error_of(3), 0.75 * course.action_error_of(0));
  EXPECT_GE(course.reached[3], 0.7);
}

TEST_P(ContextOf, IsLostWhenMemoryBeginsAnewEachTickAndSoIsTheGain) {
  const Course course = drive(GetParam(), true, {.bodies = 40});
  for (std::size_t goal = 0; goal < 4; ++goal) EXPECT_GT(course.action_error_of(goal), 0.8);
  EXPECT_THAT(course.reached, Each(Le(0.2)));
}

TEST(Context, StaysUsefulWhenTheCacheHasForgottenTheMiddle) {
  const Course course = drive(Bodies::trained, false, {.bodies = 20, .ticks = 4 * 96});
  for (std::size_t goal = 4; goal < 16; ++goal) EXPECT_LT(course.action_error_of(goal), 0.35);
}

TEST(ContextArm, HasTheJointPositionsThatAHostsSafetyGateNeeds) {
  const auto library = open_arm();
  ASSERT_TRUE(library) << library.error().message;
  const auto body = (*library)->embodiment();
  ASSERT_TRUE(body) << body.error().message;
  const auto position = body->sensor("joint_position");
  ASSERT_TRUE(position);
  EXPECT_EQ(body->sensors[*position].size(), body->dof());
}

TEST(ContextStock, CannotBeGraftedOntoAndSaysWhy) {
  learn::GraftJob job;
  job.stock = kModels / "context_stock.safetensors";
  const auto report = learn::graft(job, [](const learn::Progress&) { return true; });
  EXPECT_THAT(report.error().message,
              AllOf(HasSubstr("context_stock"), HasSubstr("'streaming'"), HasSubstr("pretrain")));
}

}  // namespace
}  // namespace cambium::context
