// tests/support/gr1_robot.cpp: an arm with a gripper, two cameras and a task in words, as GR-1 has
// it, but small: a plugin that brings nothing of its own but this description.
#include "abi/plugin.hpp"
#include "heads/gr1_action/gr1_action_head.hpp"
#include "stems/gr1/gr1_image_stem.hpp"
#include "stems/gr1/gr1_language_stem.hpp"
#include "stems/gr1/gr1_patch_stem.hpp"
#include "stems/gr1/gr1_state_stem.hpp"

namespace cambium::gr1_robot {
namespace {

constexpr JointSpec kJoints[] = {
    {"shoulder", JointKind::revolute, -2, 2, 1.0, 20.0, 0},
    {"elbow", JointKind::revolute, -2, 2, 1.0, 20.0, 0},
    {"gripper", JointKind::prismatic, -2, 2, 2.0, 50.0, 0},
};

constexpr SensorSpec kSensors[] = {
    {.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {3}},
    {.name = "task", .unit = "1", .frame = "", .shape = {9}},
    {.name = "state", .unit = "1", .frame = "", .shape = {4}},
    {.name = "patches", .unit = "1", .frame = "camera", .rank = 2, .shape = {5, 8}},
    {.name = "picture", .unit = "1", .frame = "camera", .shape = {8}},
    {.name = "hand_patches", .unit = "1", .frame = "hand", .rank = 2, .shape = {5, 8}},
    {.name = "hand_picture", .unit = "1", .frame = "hand", .shape = {8}},
};

constexpr RobotSpec kSpec = {.name = "gr1_robot",
                             .summary = "an arm with two cameras",
                             .joints = kJoints,
                             .sensors = kSensors,
                             .control_hz = 30};

}  // namespace
}  // namespace cambium::gr1_robot

CAMBIUM_PLUGIN("gr1_robot", "1.0.0", cambium::plugin::embodiment<cambium::gr1_robot::kSpec>(),
               cambium::plugin::stem<cambium::stems::Gr1LanguageStem>("gr1_language"),
               cambium::plugin::stem<cambium::stems::Gr1StateStem>("gr1_state"),
               cambium::plugin::stem<cambium::stems::Gr1PatchStem>("gr1_patch"),
               cambium::plugin::stem<cambium::stems::Gr1ImageStem>("gr1_image"),
               cambium::plugin::head<cambium::heads::Gr1ActionHead>("gr1_action"))
