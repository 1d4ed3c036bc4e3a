#include <algorithm>

#include "tests/unit/tasks/bodies.hpp"

namespace cambium::tasks {
namespace {

learn::Demonstrations recorded(const TaskBody& body, const RecordOptions& options) {
  auto demonstrations = record(body, options, [](std::uint32_t) { return true; });
  if (!demonstrations) throw std::runtime_error(demonstrations.error().message);
  return std::move(*demonstrations);
}

class EveryTask : public testing::TestWithParam<TaskKind> {};

TEST_P(EveryTask, RecordsWhatTheContractOfDemonstrationsAsks) {
  const TaskBody body = body_of("so101", GetParam());
  const auto demonstrations = recorded(body, {.episodes = 4});
  const auto checked = learn::check(demonstrations);
  EXPECT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(demonstrations.episodes(), 4U);
  EXPECT_EQ(demonstrations.embodiment, body.embodiment.name);
  EXPECT_TRUE(demonstrations.scale.chain);
  ASSERT_EQ(demonstrations.sensors.size(), body.embodiment.sensors.size());
  for (std::size_t i = 0; i < demonstrations.sensors.size(); ++i) {
    EXPECT_EQ(demonstrations.sensors[i].name, body.embodiment.sensors[i].name);
    EXPECT_EQ(demonstrations.sensors[i].shape, body.embodiment.sensors[i].shape);
  }
}

TEST_P(EveryTask, BeginsALongRecordingAsAShortOne) {
  const TaskBody body = body_of("so101", GetParam());
  const auto few = recorded(body, {.episodes = 3, .seed = 5});
  const auto many = recorded(body, {.episodes = 6, .seed = 5});
  const auto other = recorded(body, {.episodes = 3, .seed = 6});
  ASSERT_LT(few.rows(), many.rows());
  EXPECT_TRUE(std::equal(few.actions.begin(), few.actions.end(), many.actions.begin()));
  for (std::size_t i = 0; i < few.sensors.size(); ++i)
    EXPECT_TRUE(std::equal(few.sensors[i].values.begin(), few.sensors[i].values.end(),
                           many.sensors[i].values.begin()));
  EXPECT_NE(few.actions, other.actions);
}

TEST_P(EveryTask, KeepsEveryNthRowOfTheSameEpisodesIfToldTo) {
  const TaskBody body = body_of("so101", GetParam());
  const auto all = recorded(body, {.episodes = 3});
  const auto some = recorded(body, {.episodes = 3, .every = 7});
  ASSERT_EQ(some.episodes(), 3U);
  const std::size_t label = all.actions.size() / all.rows();
  for (std::size_t episode = 0; episode < 3; ++episode) {
    const auto first = static_cast<std::size_t>(all.episode_start[episode]),
               end = static_cast<std::size_t>(all.episode_start[episode + 1]);
    auto row = static_cast<std::size_t>(some.episode_start[episode]);
    for (std::size_t from = first; from < end; from += 7, ++row)
      EXPECT_TRUE(std::equal(all.actions.begin() + static_cast<std::ptrdiff_t>(from * label),
                             all.actions.begin() + static_cast<std::ptrdiff_t>((from + 1) * label),
                             some.actions.begin() + static_cast<std::ptrdiff_t>(row * label)))
          << "row " << from;
    EXPECT_EQ(row, static_cast<std::size_t>(some.episode_start[episode + 1]));
  }
}

TEST_P(EveryTask, LabelsEachRowWithWhatTheExpertWouldDoThere) {
  const TaskBody body = body_of("so101", GetParam());
  const auto demonstrations = recorded(body, {.episodes = 2});
  const auto expert = make_expert(body);
  std::vector<double> action(body.embodiment.dof());
  const std::size_t per_row = demonstrations.actions.size() / demonstrations.rows();
  for (std::uint64_t row = 0; row < demonstrations.rows(); row += 13) {
    std::vector<std::span<const float>> readings;
    for (const auto& sensor : demonstrations.sensors)
      readings.emplace_back(sensor.values.data() + row * sensor.size(), sensor.size());
    ASSERT_TRUE(expert->act(readings, action));
    for (std::size_t j = 0; j < action.size(); ++j)
      EXPECT_NEAR(demonstrations.actions[row * per_row + j], action[j], 2e-3) << "row " << row;
  }
}

TEST_P(EveryTask, HasNoiseInEveryOtherEpisode) {
  const TaskBody body = body_of("so101", GetParam());
  const auto demonstrations = recorded(body, {.episodes = 6});
  const auto& q = demonstrations.sensors[0].values;
  const std::size_t dof = body.embodiment.dof();
  // How far joint velocities jump between ticks.
  std::array<double, 2> jerk{}, rows{};
  for (std::size_t episode = 0; episode < 6; ++episode)
    for (auto row = static_cast<std::size_t>(demonstrations.episode_start[episode]) + 3;
         row < static_cast<std::size_t>(demonstrations.episode_start[episode + 1]); ++row) {
      for (std::size_t j = 0; j < dof; ++j) {
        const auto at = [&](std::size_t back) { return q[(row - back) * dof + j]; };
        jerk[episode % 2] += std::abs(at(0) - 3 * at(1) + 3 * at(2) - at(3));
      }
      ++rows[episode % 2];
    }
  EXPECT_GT(jerk[1] / rows[1], 2 * jerk[0] / rows[0]);
}

INSTANTIATE_TEST_SUITE_P(Tasks, EveryTask,
                         testing::Values(TaskKind::reach, TaskKind::choose, TaskKind::push),
                         [](const auto& one) { return std::string(to_string(one.param)); });

TEST(Recording, StopsWhenToldTo) {
  const TaskBody body = body_of("so101", TaskKind::reach);
  const auto demonstrations =
      record(body, {.episodes = 50}, [](std::uint32_t done) { return done < 2; });
  ASSERT_TRUE(demonstrations);
  EXPECT_EQ(demonstrations->episodes(), 2U);
}

}  // namespace
}  // namespace cambium::tasks
