#include "core/nn/joint_chain.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "tests/support/malloc_guard.hpp"

namespace cambium::nn {
namespace {

using testing::HasSubstr;

// A lift, a shoulder on it and an elbow: what its joints do can be followed on paper.
ChainSpec lift_shoulder_elbow() {
  return {
      .joints = {{.slides = true,
                  .direction = {0, 0, 1},
                  .home = 0.1,
                  .position_min = 0,
                  .position_max = 0.4,
                  .velocity_max = 0.5},
                 {.direction = {0, 0, 1}, .position_min = -2, .position_max = 2, .velocity_max = 3},
                 {.point = {0.5, 0, 0},
                  .direction = {0, 1, 0},
                  .home = 0.25,
                  .position_min = -1,
                  .position_max = 2,
                  .velocity_max = 4}},
      .home_tool = {0.8, 0, 0.4},
      .reach = 0.9};
}

TEST(JointChain, HasItsToolAtHomeWhereTheSpecSays) {
  JointChain chain(lift_shoulder_elbow());
  const float home[] = {0.1F, 0, 0.25F};
  const auto tool = chain.tool(home);
  EXPECT_NEAR(tool[0], 0.8, 1e-7);
  EXPECT_NEAR(tool[1], 0, 1e-7);
  EXPECT_NEAR(tool[2], 0.4, 1e-7);
}

TEST(JointChain, TurnsAndSlidesWhatComesAfterAJoint) {
  JointChain chain(lift_shoulder_elbow());
  constexpr auto kQuarter = static_cast<float>(std::numbers::pi / 2);
  // Lifted by 0.2; turned left; the elbow turns its part, which lies (0.3, 0.4) from it, down.
  const float q[] = {0.3F, kQuarter, 0.25F + kQuarter};
  const auto tool = chain.tool(q);
  EXPECT_NEAR(tool[0], 0, 1e-6);
  EXPECT_NEAR(tool[1], 0.5 + 0.4, 1e-6);
  EXPECT_NEAR(tool[2], 0.2 - 0.3, 1e-6);
}

TEST(JointChain, SaysOfEachJointWhatItCanDoFromHere) {
  JointChain chain(lift_shoulder_elbow());
  constexpr auto kQuarter = static_cast<float>(std::numbers::pi / 2);
  const float q[] = {0.3F, kQuarter, 0.25F};
  std::vector<float> f(3 * JointChain::kFeatures);
  chain.features(q, f);
  const auto near = [&](std::size_t at, std::vector<double> expected) {
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(f[at + i], expected[i], 1e-6) << "number " << at + i;
  };
  const double time = JointChain::kTime / 0.9;
  near(0, {0, 0, 0.5 * time, 0, 0, 1, -0.2 / 0.15, 0.1 / 0.15, 1, 0.125});
  // The tool is at (0, 0.8, 0.6): the shoulder drives it to -x.
  near(10, {-0.8 * 3 * time, 0, 0, 0, 0, 1, -std::numbers::pi / 2 / 0.9,
            (2 - std::numbers::pi / 2) / 0.9, 1, 0.75});
  // The elbow's line was turned to -x; its part lies (0, 0.3, 0.4) from it.
  near(20, {0, 0.4 * 4 * time, -0.3 * 4 * time, -1, 0, 0, 0, 1, 1, 1});
}

TEST(JointChain, MovesTheToolAsFastAsItSays) {
  JointChain chain(lift_shoulder_elbow());
  const float q[] = {0.2F, -0.7F, 1.1F};
  std::vector<float> f(3 * JointChain::kFeatures);
  chain.features(q, f);
  constexpr float kStep = 1.0F / 256;
  for (std::size_t j = 0; j < 3; ++j) {
    float there[] = {q[0], q[1], q[2]}, back[] = {q[0], q[1], q[2]};
    there[j] += kStep;
    back[j] -= kStep;
    const auto a = chain.tool(back), b = chain.tool(there);
    const double speed = chain.spec().joints[j].velocity_max;
    for (std::size_t k = 0; k < 3; ++k)
      EXPECT_NEAR(f[j * JointChain::kFeatures + k],
                  (b[k] - a[k]) / (2 * kStep) * speed / 0.9 * JointChain::kTime, 1e-4)
          << "joint " << j;
  }
}

TEST(JointChain, AllocatesNothingOnceMade) {
  if (!test::MallocGuard::works()) GTEST_SKIP() << "a sanitizer owns malloc here";
  JointChain chain(lift_shoulder_elbow());
  const float q[] = {0.2F, -0.7F, 1.1F};
  std::vector<float> f(3 * JointChain::kFeatures);
  const test::MallocGuard guard;
  chain.features(q, f);
  (void)chain.tool(q);
  EXPECT_EQ(guard.allocations(), 0U);
}

TEST(ChainSpec, IsTheSameAfterItWasText) {
  ChainSpec spec = lift_shoulder_elbow();
  spec.joints[1].point = {1.0 / 3, -1e-17, 6.02e23};
  spec.joints[2].direction = {std::sin(0.3), 0, std::cos(0.3)};
  spec.reach = std::numbers::e;
  const auto again = ChainSpec::from_text(spec.to_text());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, spec);
}

TEST(ChainSpec, ReadsAListAsOthersWriteIt) {
  const auto read =
      ChainSpec::from_text(" [0.5, 0.0, 1e-1,\n 1, 0, 0, 0, 0.1, 0, 0, 1.0, 0, -2, 2, 3E0 ]\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->joints.size(), 1U);
  EXPECT_EQ(read->home_tool[2], 0.1);
  EXPECT_EQ(read->joints[0].velocity_max, 3);
}

TEST(ChainSpec, FromElsewhereIsRefusedWithTheNumberThatIsWrong) {
  const auto said = [](const std::string& text) {
    const auto read = ChainSpec::from_text(text);
    EXPECT_FALSE(read) << text;
    return read ? std::string() : read.error().message;
  };
  const auto with = [](auto spoil) {
    ChainSpec spec = lift_shoulder_elbow();
    spoil(spec);
    return spec.to_text();
  };
  EXPECT_THAT(said(""), HasSubstr("expected '['"));
  EXPECT_THAT(said("[]"), HasSubstr("number 0"));
  EXPECT_THAT(said("[1,2,x]"), HasSubstr("number 2"));
  EXPECT_THAT(said("[1,2,nan]"), HasSubstr("number 2"));
  EXPECT_THAT(said("[1,2,1e999]"), HasSubstr("number 2"));
  EXPECT_THAT(said("[1,2"), HasSubstr("number 1 of the list is followed"));
  EXPECT_THAT(said("[1,2]"), HasSubstr("has 2 numbers, expected 4 and 11"));
  EXPECT_THAT(said("[1,2,3,4]"), HasSubstr("has 4 numbers"));
  EXPECT_THAT(said(with([](auto&) {}) + "]"), HasSubstr("text follows"));
  EXPECT_THAT(said("[0,0,0,1,0.5,0,0,0,0,0,1,0,-1,1,1]"), HasSubstr("joint 0: slides is 0.5"));
  EXPECT_THAT(said(with([](auto& s) { s.reach = 0; })), HasSubstr("reach 0"));
  EXPECT_THAT(said(with([](auto& s) { s.joints[1].direction[2] = 0.99; })),
              HasSubstr("joint 1: direction has length 0.99"));
  EXPECT_THAT(said(with([](auto& s) { s.joints[2].position_max = -1; })),
              HasSubstr("joint 2: position_min -1 is not below"));
  EXPECT_THAT(said(with([](auto& s) { s.joints[0].home = 0.5; })),
              HasSubstr("joint 0: home 0.5 lies outside 0 to 0.4"));
  EXPECT_THAT(said(with([](auto& s) { s.joints[0].velocity_max = 0; })),
              HasSubstr("joint 0: velocity_max 0"));
  EXPECT_THAT(said(with([](auto& s) { s.joints.resize(65, s.joints[0]); })),
              HasSubstr("more numbers than 64 joints"));
}

TEST(ChainSpec, ThatIsNotFiniteIsNoChain) {
  ChainSpec spec = lift_shoulder_elbow();
  spec.joints[1].point[1] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(spec.check().error().message, HasSubstr("joint 1: point is not finite"));
  spec = lift_shoulder_elbow();
  spec.joints[1].direction[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(spec.check().error().message, HasSubstr("direction is not finite"));
  EXPECT_THAT(ChainSpec{}.check().error().message, HasSubstr("0 joints"));
}

}  // namespace
}  // namespace cambium::nn
