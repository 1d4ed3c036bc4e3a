// The axes that plugins declare against MuJoCo's own kinematics of the same arms.
#include <random>

#include "core/learn/embodiment_scale.hpp"
#include "core/nn/joint_chain.hpp"
#include "examples/reach/kinematics.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

class Chain : public EveryArm {
 protected:
  // Anywhere between its limits, as a sensor reports it.
  std::vector<float> some_position() {
    std::vector<float> q;
    for (const auto& joint : body.joints) {
      std::uniform_real_distribution<double> between(joint.position_min, joint.position_max);
      q.push_back(static_cast<float>(between(random)));
    }
    return q;
  }

  std::mt19937_64 random{7};
};

TEST_P(Chain, HasItsToolWhereMujocoHasIt) {
  const auto spec = learn::chain_of(body);
  ASSERT_TRUE(spec);
  nn::JointChain chain(*spec);
  Kinematics kinematics(*model);
  for (int i = 0; i < 200; ++i) {
    const auto q = some_position();
    const std::vector<double> exact(q.begin(), q.end());
    EXPECT_LT(distance(chain.tool(q), kinematics.tool(exact)), 1e-5);
  }
}

TEST_P(Chain, MovesItsToolAsMujocosJacobianSays) {
  const auto spec = learn::chain_of(body);
  ASSERT_TRUE(spec);
  nn::JointChain chain(*spec);
  Kinematics kinematics(*model);
  std::vector<float> features(body.dof() * nn::JointChain::kFeatures);
  for (int i = 0; i < 200; ++i) {
    const auto q = some_position();
    kinematics.tool({std::vector<double>(q.begin(), q.end())});
    const auto jacobian = kinematics.jacobian();
    chain.features(q, features);
    for (std::size_t j = 0; j < body.dof(); ++j)
      for (std::size_t k = 0; k < 3; ++k)
        EXPECT_NEAR(features[j * nn::JointChain::kFeatures + k],
                    jacobian[k * body.dof() + j] * body.joints[j].velocity_max / body.reach *
                        nn::JointChain::kTime,
                    5e-5)
            << body.joints[j].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Plugins, Chain, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
