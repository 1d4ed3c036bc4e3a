#include <set>

#include "core/learn/embodiment_scale.hpp"
#include "core/nn/joint_chain.hpp"
#include "examples/reach/kinematics.hpp"
#include "tests/unit/tasks/bodies.hpp"

namespace cambium::tasks {
namespace {

std::string random_body(int seed) {
  return "random:" + std::to_string(seed);
}

// The tool as the lines of the description have it, and as MuJoCo has it, at postures within
// limits.
void expect_that_the_chain_is_the_arm(const TaskBody& body) {
  const auto chain_spec = learn::chain_of(body.embodiment);
  ASSERT_TRUE(chain_spec) << body.name;
  nn::JointChain chain(*chain_spec);
  reach::Kinematics kinematics(*body.model);
  Draws draws{1};
  for (int i = 0; i < 50; ++i) {
    std::vector<double> q;
    std::vector<float> rounded;
    for (const auto& joint : body.embodiment.joints) {
      rounded.push_back(static_cast<float>(draws.between(joint.position_min, joint.position_max)));
      q.push_back(rounded.back());
    }
    EXPECT_LT(distance(chain.tool(rounded), kinematics.tool(q)), 2e-5) << body.name;  // [m]
  }
}

TEST(TaskBody, IsDescribedByLinesThatPutTheToolWherePhysicsDoes) {
  for (const char* name : {"planar3", "scara4", "so101", "ur5e", "panda7"})
    expect_that_the_chain_is_the_arm(body_of(name, TaskKind::reach));
  for (int seed = 0; seed < 10; ++seed)
    expect_that_the_chain_is_the_arm(body_of(random_body(seed), TaskKind::reach));
}

TEST(TaskBody, IsValidAndReachedByItsExpertOnTenSeeds) {
  std::set<std::size_t> dofs;
  for (int seed = 0; seed < 10; ++seed) {
    const TaskBody body = body_of(random_body(seed), TaskKind::reach);
    const auto valid = body.embodiment.validate();
    EXPECT_TRUE(valid) << valid.error().message;
    dofs.insert(body.embodiment.dof());
    EXPECT_GE(body.embodiment.dof(), 4U);
    EXPECT_LE(body.embodiment.dof(), 7U);
    EXPECT_GE(expert_success(body, 20), 0.95) << body.name;
  }
  EXPECT_GE(dofs.size(), 3U) << "hardly any variety";
}

TEST(TaskBody, OfOneSeedIsOneBodyWhateverItsTask) {
  const TaskBody first = body_of("random:3", TaskKind::reach);
  const TaskBody again = body_of("random:3", TaskKind::reach);
  const TaskBody pushing = body_of("random:3", TaskKind::push);
  const TaskBody other = body_of("random:4", TaskKind::reach);
  EXPECT_EQ(first.embodiment.joints, again.embodiment.joints);
  EXPECT_EQ(first.embodiment.axes, again.embodiment.axes);
  EXPECT_EQ(first.embodiment.joints, pushing.embodiment.joints);
  EXPECT_EQ(first.embodiment.axes, pushing.embodiment.axes);
  EXPECT_NE(first.embodiment.axes, other.embodiment.axes);
  EXPECT_EQ(first.embodiment.name, "random_3");
  EXPECT_EQ(pushing.embodiment.name, "random_3_push");
}

TEST(TaskBody, RefusesWhatIsNoBody) {
  const auto typo = make_body("so10", TaskKind::reach);
  ASSERT_FALSE(typo);
  EXPECT_NE(typo.error().message.find("did you mean 'so101'"), std::string::npos);
  for (const char* name : {"random:", "random:x", "random:-1", "random:1 "}) {
    const auto body = make_body(name, TaskKind::reach);
    ASSERT_FALSE(body) << name;
    EXPECT_EQ(body.error().code, Code::bad_argument);
    EXPECT_NE(body.error().message.find(name), std::string::npos);
  }
}

TEST(TaskKind, IsNamedAndMisspeltNamesAreHelped) {
  for (const auto kind : {TaskKind::reach, TaskKind::choose, TaskKind::push})
    EXPECT_EQ(*task_from(to_string(kind)), kind);
  const auto typo = task_from("chose");
  ASSERT_FALSE(typo);
  EXPECT_NE(typo.error().message.find("did you mean 'choose'"), std::string::npos);
}

}  // namespace
}  // namespace cambium::tasks
