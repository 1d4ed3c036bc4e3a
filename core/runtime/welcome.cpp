#include "core/runtime/welcome.hpp"

#include "core/transport/verify.hpp"
#include "wire/welcome_generated.h"

namespace cambium::runtime {

std::vector<std::byte> welcome(std::uint32_t robot_id, const std::string& robot,
                               const plugin::Embodiment& body, std::uint64_t generation,
                               std::uint64_t body_number, std::uint32_t horizon,
                               const IoOptions& io) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::Joint>> joints;
  for (const auto& joint : body.joints) {
    joints.push_back(wire::CreateJoint(builder, builder.CreateString(joint.name),
                                       joint.kind == JointKind::prismatic, joint.position_min,
                                       joint.position_max, joint.velocity_max,
                                       joint.acceleration_max, joint.home));
  }
  std::vector<flatbuffers::Offset<wire::Sensor>> sensors;
  for (const auto& sensor : body.sensors) {
    const auto name = builder.CreateString(sensor.name), unit = builder.CreateString(sensor.unit),
               frame = builder.CreateString(sensor.frame);
    sensors.push_back(
        wire::CreateSensor(builder, name, unit, frame, builder.CreateVector(sensor.shape)));
  }
  const auto name = builder.CreateString(robot), embodiment = builder.CreateString(body.name);
  const auto all_joints = builder.CreateVector(joints);
  const auto all_sensors = builder.CreateVector(sensors);
  wire::FinishWelcomeBuffer(
      builder, wire::CreateWelcome(builder, robot_id, name, embodiment, generation, body_number,
                                   all_joints, all_sensors, static_cast<std::uint32_t>(body.action),
                                   body.control_hz, horizon, io.shared_memory,
                                   static_cast<std::uint32_t>(io.max_message_bytes)));
  const auto bytes = transport::bytes_of(builder);
  return {bytes.begin(), bytes.end()};
}

}  // namespace cambium::runtime
