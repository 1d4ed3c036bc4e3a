// The examples of docs/listeners.md against embodiments as they describe them.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/config/config.hpp"
#include "core/gateway/gateway.hpp"
#include "core/gateway/mapping.hpp"

namespace cambium::gateway {
namespace {

RobotInfo body(std::vector<std::string> joints, std::vector<SensorInfo> cameras) {
  RobotInfo info;
  info.robot = info.embodiment = "body";
  for (auto& joint : joints) info.joints.push_back({std::move(joint), JointKind::revolute, -2, 2});
  info.sensors = {
      {"joint_position", "rad", "joint", {static_cast<std::uint32_t>(info.joints.size())}}};
  for (auto& camera : cameras) info.sensors.push_back(std::move(camera));
  info.action = ActionKind::joint_position;
  info.horizon = 50;
  return info;
}

std::string mistakes(const char* file, const RobotInfo& robot) {
  const auto config =
      config::load_config(std::filesystem::path(CAMBIUM_SOURCE_DIR) / "examples/config" / file);
  if (!config) return config.error().message;
  const auto& listener = config->listeners.at(0);
  const auto mapping = Mapping::make(listener, robot, Gateway::default_action(listener.protocol));
  return mapping ? "" : mapping.error().message;
}

const std::vector<std::string> kSo100 = {"shoulder_pan", "shoulder_lift", "elbow_flex",
                                         "wrist_flex",   "wrist_roll",    "gripper"};

TEST(Examples, OpenpiAlohaFitsTwoArmsWithThreeCameras) {
  std::vector<std::string> joints;
  for (int i = 0; i < 14; ++i) joints.push_back("joint" + std::to_string(i));
  EXPECT_EQ(mistakes("openpi_aloha.toml",
                     body(joints, {{"cam_high", "1", "camera", {3, 224, 224}},
                                   {"cam_left_wrist", "1", "camera", {3, 224, 224}},
                                   {"cam_right_wrist", "1", "camera", {3, 224, 224}}})),
            "");
}

TEST(Examples, GrootSo100FitsFiveJointsAGripperAndACamera) {
  EXPECT_EQ(mistakes("groot_so100.toml", body(kSo100, {{"webcam", "1", "camera", {224, 224, 3}}})),
            "");
}

TEST(Examples, LerobotSo101FitsFiveJointsAGripperAndACamera) {
  EXPECT_EQ(mistakes("lerobot_so101.toml", body(kSo100, {{"front", "1", "camera", {240, 320, 3}}})),
            "");
}

}  // namespace
}  // namespace cambium::gateway
