// Who records a robot: one at a time, for as long as its rows are taken.
#include "core/runtime/recording.hpp"

#include "core/runtime/worker.hpp"
#include "tests/unit/runtime/robot_fixture.hpp"

namespace cambium::runtime {
namespace {

class RecordingTest : public RobotTest {
 protected:
  RecordingTest() {
    body_.name = "toy_arm";
    body_.joints.resize(2);
    body_.sensors = {{"joint_position", "rad", "joint", {2}},
                     {"goal", "m", "base", {3}},
                     {"picture", "1", "camera", {64, 64, 3}}};
    body_.control_hz = 100;
    worker_.adopt(robot_);
  }
  ~RecordingTest() override { worker_.drop(robot_); }

  Result<RecordingInfo> begin() { return recording_.begin(body_, 1, robot_, worker_); }

  plugin::Embodiment body_;
  Worker worker_{[] {}};
  Recording recording_;
};

TEST_F(RecordingTest, SaysWhatARowIs) {
  const auto info = begin();
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->shape.sensors, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(info->shape.row_size(), 7U);
  EXPECT_EQ(info->left_out, (std::vector<std::string>{"picture"}));
  EXPECT_TRUE(recording_.under_way());
}

TEST_F(RecordingTest, ASecondOneIsRefusedUntilTheFirstHasEnded) {
  const auto first = begin();
  const auto second = begin();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_EQ(second.error().message, "robot 'left' is being recorded already; one at a time");
  recording_.end(first->ticket + 1, robot_, worker_);
  EXPECT_TRUE(recording_.under_way()) << "somebody else's ticket ends nothing";
  recording_.end(first->ticket, robot_, worker_);
  recording_.end(first->ticket, robot_, worker_);
  EXPECT_FALSE(recording_.under_way());
  EXPECT_TRUE(begin());
}

TEST_F(RecordingTest, RowsAreOnlyForWhoeverBeganIt) {
  const auto info = begin();
  EXPECT_TRUE(recording_.take(info->ticket));
  EXPECT_EQ(recording_.take(info->ticket + 1).error().code, Code::not_found);
  recording_.end(info->ticket, robot_, worker_);
  EXPECT_EQ(recording_.take(info->ticket).error().code, Code::not_found);
}

TEST_F(RecordingTest, EndsWhenNobodyTakesItsRows) {
  const auto info = begin();
  const auto now = base::monotonic_ns();
  recording_.tidy(now + 4 * base::kSecond, robot_, worker_);
  EXPECT_TRUE(recording_.take(info->ticket));
  recording_.tidy(now + base::kSecond, robot_, worker_);
  EXPECT_TRUE(recording_.under_way());
  recording_.tidy(base::monotonic_ns() + 6 * base::kSecond, robot_, worker_);
  EXPECT_FALSE(recording_.under_way());
  EXPECT_TRUE(begin()) << "and another may";
}

}  // namespace
}  // namespace cambium::runtime
