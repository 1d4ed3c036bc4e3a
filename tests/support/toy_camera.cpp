// tests/support/toy_camera.cpp: a toy arm with a camera, whose stem fails unless every frame is
// exactly what fill_camera() writes.
#include "tests/support/toy_camera.hpp"

#include <utility>

#include "tests/support/toy_robot.hpp"

namespace cambium::toy {
namespace {

constexpr SensorSpec kSensorsWithCamera[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {TOY_DOF}},
    {.name = "camera",
     .unit = "1",
     .frame = "camera",
     .rank = 3,
     .shape = {kCameraRows, kCameraColumns, kCameraColours}},
};

constexpr RobotSpec kSpecWithCamera = {.name = "toy_camera",
                                       .summary = "a toy that sees",
                                       .joints = kJoints,
                                       .sensors = kSensorsWithCamera,
                                       .control_hz = 100};

class FrameStem final : public PassStem {
 public:
  Status encode(SensorWindow window, TokensView out) noexcept override {
    const std::span newest(window.data + (window.steps - 1) * window.size, window.size);
    // A host tries it once before it is let near the robot, on nothing.
    const bool tried = std::exchange(tried_, true);
    if (!is_camera_frame(newest) && (tried || newest[0] != 0)) return Code::bad_data;
    return PassStem::encode(window, out);
  }

 private:
  bool tried_ = false;
};

}  // namespace
}  // namespace cambium::toy

CAMBIUM_PLUGIN("toy_camera", "1.0.0", cambium::plugin::embodiment<cambium::toy::kSpecWithCamera>(),
               cambium::plugin::stem<cambium::toy::PassStem>("pass"),
               cambium::plugin::stem<cambium::toy::FrameStem>("frame"),
               cambium::plugin::head<cambium::toy::ConstantHead>("constant"))
