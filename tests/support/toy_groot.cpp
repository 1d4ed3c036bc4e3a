// tests/support/toy_groot.cpp: toys with the joints and cameras of the robots that GR00T's own
// examples drive.
#include <array>
#include <chrono>
#include <thread>

#define TOY_BODY toy_groot
#define TOY_DOF 2
#define TOY_VERSION 1
#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

constexpr std::array kNames = {"j0",  "j1",  "j2",  "j3",  "j4",  "j5",  "j6",  "j7",  "j8",  "j9",
                               "j10", "j11", "j12", "j13", "j14", "j15", "j16", "j17", "j18", "j19",
                               "j20", "j21", "j22", "j23", "j24", "j25", "j26", "j27", "j28"};

// Wide enough for numbers that were made up.
template <std::size_t kDof>
constexpr std::array<JointSpec, kDof> joints() {
  std::array<JointSpec, kDof> all{};
  for (std::size_t i = 0; i < kDof; ++i)
    all[i] = {kNames[i], JointKind::revolute, -1000, 1000, 100.0, 1e6, 0};
  return all;
}

constexpr SensorSpec position(std::uint32_t dof) {
  return {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {dof}};
}
constexpr SensorSpec camera(const char* name) {
  return {.name = name, .unit = "1", .frame = "camera", .rank = 3, .shape = {32, 48, 3}};
}

constexpr auto kFour = joints<4>();
constexpr auto kSix = joints<6>();
constexpr auto kEight = joints<8>();
constexpr auto kTwentyNine = joints<29>();

constexpr SensorSpec kSo100Sensors[] = {position(6), camera("front"), camera("wrist")};
constexpr SensorSpec kWebcamSensors[] = {position(6), camera("webcam")};
constexpr SensorSpec kGr1Sensors[] = {position(29), camera("ego_view")};
constexpr SensorSpec kDroidSensors[] = {position(8), camera("exterior"), camera("wrist")};
constexpr SensorSpec kFourSensors[] = {position(4)};

constexpr RobotSpec robot(const char* name, std::span<const JointSpec> joints,
                          std::span<const SensorSpec> sensors) {
  return {
      .name = name, .summary = "a toy", .joints = joints, .sensors = sensors, .control_hz = 100};
}
constexpr RobotSpec kSo100 = robot("toy_so100", kSix, kSo100Sensors);
constexpr RobotSpec kWebcam = robot("toy_webcam", kSix, kWebcamSensors);
constexpr RobotSpec kGr1 = robot("toy_gr1", kTwentyNine, kGr1Sensors);
constexpr RobotSpec kDroid = robot("toy_droid", kEight, kDroidSensors);
constexpr RobotSpec kPlain = robot("toy_four", kFour, kFourSensors);

// A policy that takes its time: longer than whoever waits beside it needs.
class SlowHead final : public ConstantHead {
 public:
  Status decode(FeaturesView features, ChunkView out) noexcept override {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    return ConstantHead::decode(features, out);
  }
};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("toy_groot", "1.0.0", cambium::plugin::embodiment<cambium::toy::kSo100>(),
               cambium::plugin::embodiment<cambium::toy::kWebcam>(),
               cambium::plugin::embodiment<cambium::toy::kGr1>(),
               cambium::plugin::embodiment<cambium::toy::kDroid>(),
               cambium::plugin::embodiment<cambium::toy::kPlain>(),
               cambium::plugin::stem<cambium::toy::PassStem>("pass"),
               cambium::plugin::head<cambium::toy::ConstantHead>("constant"),
               cambium::plugin::head<cambium::toy::SlowHead>("slow"))
