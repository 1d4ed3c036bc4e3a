#include "core/adapters/openpi/reply.hpp"

#include <array>
#include <string>

#include "core/gateway/gateway.hpp"

namespace cambium::openpi {
namespace {

template <class List, class Write>
void write_list(formats::MsgpackWriter& to, const List& list, Write write) {
  to.list(static_cast<std::uint32_t>(list.size()));
  for (const auto& one : list) write(one);
}

}  // namespace

void write_metadata(formats::MsgpackWriter& to, const RobotInfo& robot,
                    const gateway::Mapping& mapping, std::uint32_t rows) {
  const auto joint_name = [&](std::uint32_t joint) { to.text(robot.joints[joint].name); };
  to.map(8);
  to.text("robot");
  to.text(robot.robot);
  to.text("embodiment");
  to.text(robot.embodiment);
  to.text("control_hz");
  to.number(robot.control_hz);
  to.text("action_horizon");
  to.integer(rows);
  to.text("action_kind");
  to.text(robot.action == ActionKind::joint_velocity ? "joint_velocity" : "joint_position");
  to.text("actions");  // what a reply has, by key, with the joints of its columns
  to.map(static_cast<std::uint32_t>(mapping.parts().size()));
  for (const auto& part : mapping.parts()) {
    to.text(part.key);
    write_list(to, part.joints, joint_name);
  }
  to.text("observation");  // what an observation has, by key, with its shape
  to.map(static_cast<std::uint32_t>(mapping.expected().size()));
  for (const auto& reading : mapping.expected()) {
    to.text(reading.key);
    write_list(to, reading.shape, [&](std::uint32_t size) { to.integer(size); });
  }
  to.text("drives");  // who may drive, as "cambium" of a reply says
  constexpr std::array kDrives = {Drive::policy,      Drive::waiting,   Drive::hold,
                                  Drive::damped_stop, Drive::safe_pose, Drive::finish_chunk};
  write_list(to, kDrives, [&](Drive drive) { to.text(to_string(drive)); });
}

void write_reply(formats::MsgpackWriter& to, const gateway::Answer& answer,
                 formats::ArrayDialect dialect, const Timing& timing) {
  to.map(static_cast<std::uint32_t>(answer.parts.size()) + 3);
  for (const auto& part : answer.parts) {
    to.text(part.key);
    to.array(dialect, std::array<std::uint64_t, 2>{answer.rows, part.columns}, part.values);
  }
  to.text("policy_timing");
  to.map(1);
  to.text("infer_ms");
  to.number(static_cast<double>(answer.trunk_compute_us) / 1000);
  to.text("server_timing");
  to.map(timing.prev_total_ms ? 2 : 1);
  to.text("infer_ms");
  to.number(timing.infer_ms);
  if (timing.prev_total_ms) {
    to.text("prev_total_ms");
    to.number(*timing.prev_total_ms);
  }
  to.text("cambium");
  to.map(4);
  to.text("drive");
  to.text(to_string(answer.drive));
  to.text("reason");
  to.text(to_string(answer.reason));
  to.text("why");
  to.text(answer.why);
  to.text("generation");
  to.integer(static_cast<std::int64_t>(answer.generation));
}

}  // namespace cambium::openpi
