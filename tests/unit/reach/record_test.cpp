#include "examples/reach/record.hpp"

#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "examples/reach/expert.hpp"
#include "tests/unit/reach/arms.hpp"

namespace cambium::reach {
namespace {

class RecordingOf : public EveryArm {
 protected:
  Recording record_episodes(std::uint32_t episodes, std::uint64_t seed) {
    return record(*model, body, {.episodes = episodes, .seed = seed},
                  [](std::uint32_t) { return true; });
  }
};

TEST_P(RecordingOf, ComesBackFromItsFileAsItWas) {
  const auto recording = record_episodes(4, 1);
  const auto& written = recording.demonstrations;
  const auto file = std::filesystem::temp_directory_path() /
                    (std::string(GetParam()) + "." + std::to_string(getpid()) + ".safetensors");
  const auto done = learn::write_demonstrations(file, written);
  ASSERT_TRUE(done) << done.error().message;
  const auto read = learn::read_demonstrations(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->embodiment, GetParam());
  EXPECT_EQ(read->horizon, 8u);
  EXPECT_EQ(read->dof, model->dof());
  EXPECT_EQ(read->episodes(), 4u);
  EXPECT_EQ(read->episode_start, written.episode_start);
  EXPECT_EQ(read->actions, written.actions);
  EXPECT_EQ(read->scale.velocity_max, written.scale.velocity_max);
  EXPECT_EQ(read->scale.home_tool, body.home_tool);
  EXPECT_EQ(read->scale.reach, body.reach);
  for (const char* sensor : {"joint_position", "tool", "goal"}) {
    ASSERT_NE(read->find(sensor), nullptr) << sensor;
    EXPECT_EQ(read->find(sensor)->values, written.find(sensor)->values) << sensor;
  }
}

TEST_P(RecordingOf, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto one = record_episodes(2, 5).demonstrations;
  EXPECT_EQ(one.actions, record_episodes(2, 5).demonstrations.actions);
  EXPECT_NE(one.actions, record_episodes(2, 6).demonstrations.actions);
}

TEST_P(RecordingOf, LabelsNoisyStatesWithWhatTheExpertWouldDoThere) {
  const auto demonstrations = record_episodes(2, 2).demonstrations;
  const auto begin = static_cast<std::size_t>(demonstrations.episode_start[1]);  // the noisy one
  const auto rows = static_cast<std::size_t>(demonstrations.episode_start[2]);
  const std::size_t dof = model->dof();
  const auto& q = demonstrations.find("joint_position")->values;
  const auto& goal = demonstrations.find("goal")->values;
  Expert expert(*model);
  std::vector<double> velocity(dof);
  double strayed = 0;  // how far the joints moved from where the labels sent them
  for (std::size_t row = begin; row < rows; ++row) {
    const std::vector<double> at(q.begin() + row * dof, q.begin() + (row + 1) * dof);
    expert.velocity(at, {goal[3 * row], goal[3 * row + 1], goal[3 * row + 2]}, velocity);
    for (std::size_t j = 0; j < dof; ++j) {
      const float label = demonstrations.actions[row * 8 * dof + j];
      ASSERT_NEAR(label, velocity[j], 1e-3 * body.joints[j].velocity_max);
      if (row + 1 < rows)
        strayed =
            std::max(strayed, std::abs(q[(row + 1) * dof + j] - q[row * dof + j] - 0.01 * label) /
                                  (0.01 * body.joints[j].velocity_max));
    }
  }
  EXPECT_GT(strayed, 0.2);
}

TEST_P(RecordingOf, StopsWhenTold) {
  const auto recording =
      record(*model, body, {.episodes = 50}, [](std::uint32_t done) { return done < 3; });
  EXPECT_EQ(recording.demonstrations.episodes(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Arms, RecordingOf, testing::ValuesIn(kArms), arm_of);

}  // namespace
}  // namespace cambium::reach
