#include "tests/unit/reach/expert_host.hpp"

#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "cambium/version.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "wire/action_generated.h"
#include "wire/hello_generated.h"
#include "wire/notice_generated.h"
#include "wire/observation_generated.h"
#include "wire/welcome_generated.h"

namespace cambium::reach {
namespace {

using flatbuffers::FlatBufferBuilder;

void write_welcome(FlatBufferBuilder& out, const plugin::Embodiment& body) {
  std::vector<flatbuffers::Offset<wire::Joint>> joints;
  for (const auto& j : body.joints)
    joints.push_back(wire::CreateJoint(out, out.CreateString(j.name),
                                       j.kind == JointKind::prismatic, j.position_min,
                                       j.position_max, j.velocity_max, j.acceleration_max, j.home));
  std::vector<flatbuffers::Offset<wire::Sensor>> sensors;
  for (const auto& s : body.sensors)
    sensors.push_back(wire::CreateSensor(out, out.CreateString(s.name), out.CreateString(s.unit),
                                         out.CreateString(s.frame), out.CreateVector(s.shape)));
  const auto robot = out.CreateString("left");
  const auto embodiment = out.CreateString(body.name);
  const auto all_joints = out.CreateVector(joints);
  const auto all_sensors = out.CreateVector(sensors);
  wire::FinishWelcomeBuffer(out, wire::CreateWelcome(out, 0, robot, embodiment, 1, 1, all_joints,
                                                     all_sensors, 0, body.control_hz, 8));
}

}  // namespace

ExpertHost::ExpertHost(const ArmModel& model, const plugin::Embodiment& body,
                       ExpertHostOptions options)
    : model_(model), body_(body), options_(options) {
  static std::atomic<int> count = 0;
  endpoint_ =
      "ipc:///tmp/cambium-reach-test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
  thread_ = std::thread([this] { serve(); });
}

ExpertHost::~ExpertHost() {
  stop_ = true;
  thread_.join();
}

void ExpertHost::serve() {
  transport::Context context;
  auto bound = transport::Socket::bind(context, transport::SocketKind::router, endpoint_);
  if (!bound) throw std::runtime_error(bound.error().message);
  transport::Socket socket = std::move(*bound);
  transport::Poller poller;
  poller.add(socket);
  Expert expert(model_);
  std::vector<double> q(model_.dof()), velocity(model_.dof());
  std::vector<float> action(model_.dof());
  std::uint64_t observations = 0;
  while (!stop_) {
    transport::Peer peer;
    std::span<const std::byte> bytes;
    if (!socket.receive(peer, bytes).ok()) {
      poller.wait(5 * base::kMillisecond);
      continue;
    }
    FlatBufferBuilder out;
    if (transport::verify<wire::Hello>(bytes, wire::HelloIdentifier())) {
      write_welcome(out, body_);
    } else if (const auto* seen =
                   transport::verify<wire::Observation>(bytes, wire::ObservationIdentifier())) {
      ++observations;
      if (observations == options_.silent_at) continue;
      if (options_.changes_at != 0 && observations >= options_.changes_at) {
        wire::FinishNoticeBuffer(
            out, wire::CreateNotice(out, static_cast<std::uint16_t>(Code::stale),
                                    out.CreateString("robot 'left' is now a 'scara4'"), 0,
                                    seen->sequence(), 2, 2));
      } else {
        const auto& readings = *seen->readings();
        const auto& goal = *readings[2]->values();
        std::copy(readings[0]->values()->begin(), readings[0]->values()->end(), q.begin());
        expert.velocity(q, {goal[0], goal[1], goal[2]}, velocity);
        const bool waiting = observations <= options_.waiting;
        for (std::size_t j = 0; j < action.size(); ++j)
          action[j] = waiting ? 0.0F : static_cast<float>(velocity[j]);
        auto drive = waiting ? wire::Drive::waiting : wire::Drive::policy;
        if (const auto* shown = seen->demonstrated()) {
          std::copy(shown->begin(), shown->end(), action.begin());
          drive = wire::Drive::demonstration;
        }
        const bool learned = options_.learned_at != 0 && observations >= options_.learned_at;
        wire::FinishActionBuffer(
            out, wire::CreateAction(out, 0, seen->sequence(), learned ? 2 : 1, 1, drive, 0, 0, 0,
                                    out.CreateVector(action)));
      }
    } else {
      continue;
    }
    [[maybe_unused]] const Status sent = socket.send(peer, transport::bytes_of(out));
  }
}

}  // namespace cambium::reach
