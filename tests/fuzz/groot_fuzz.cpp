// A GR00T client's request, from its bytes to the numbers of a robot's sensors, and the answer in
// the manner in which it was asked.
#include <array>

#include "core/adapters/groot/observation.hpp"
#include "core/adapters/groot/reply.hpp"
#include "core/adapters/groot/request.hpp"
#include "core/gateway/mapping.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace cambium;

// An arm of two joints with a camera of 2 x 3 pixels; both are asked for by the seeds' names.
gateway::Mapping make_mapping() {
  RobotInfo robot;
  robot.robot = "left";
  robot.embodiment = "arm";
  for (const char* name : {"a", "b"})
    robot.joints.push_back({name, JointKind::revolute, -2, 2, 1, 10, 0});
  robot.sensors = {{"joint_position", "rad", "joint", {2}}, {"front", "1", "camera", {2, 3, 3}}};
  config::ListenerConfig listener;
  listener.protocol = config::Protocol::groot;
  config::SensorMapping position, front;
  position.sensor = "joint_position";
  position.keys = {"state.arm"};
  front.sensor = "front";
  front.keys = {"video.front"};
  front.picture = true;
  front.fit = config::Fit::pad;
  listener.sensors = {position, front};
  auto mapping = gateway::Mapping::make(listener, robot, "joints");
  fuzz::says_why(mapping);
  fuzz::promise(mapping.has_value(), mapping ? "" : mapping.error().message.c_str());
  return std::move(*mapping);
}

void is_msgpack(const formats::MsgpackWriter& reply) {
  const auto read = formats::read_msgpack(reply.bytes());
  fuzz::promise(read.has_value() && !read->root.as<std::monostate>(),
                "an answer is msgpack, and never nil");
}

void refused(const Error& error) {
  fuzz::promise(!error.message.empty(), "an error has a sentence");
  formats::MsgpackWriter reply;
  groot::write_error(reply, error.message);
  is_msgpack(reply);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static gateway::Mapping mapping = make_mapping();
  const auto bytes = fuzz::bytes(data, size);
  if (groot::is_torch_file(bytes)) return 0;
  const auto message = formats::read_msgpack(bytes);
  if (!message) return refused(message.error()), 0;
  const auto request = groot::read_request(*message);
  if (!request) return refused(request.error()), 0;
  const auto endpoint = groot::endpoint_of(*request);
  if (!endpoint) return refused(endpoint.error()), 0;
  if (*endpoint != groot::Endpoint::get_action) return 0;
  groot::Asked asked;
  if (auto read = groot::read_observation(request->data, request->dialect, asked); !read)
    return refused(read.error()), 0;
  for (const auto& entry : asked.observation.entries)
    fuzz::promise(entry.array.data.size() == entry.array.count() * entry.array.element_bytes,
                  "bytes are those of the shape");
  std::array<std::vector<float>, 2> readings = {std::vector<float>(2), std::vector<float>(18)};
  if (auto read = mapping.read(asked.observation,
                               [&](std::size_t sensor) { return std::span(readings[sensor]); });
      !read)
    return refused(read.error()), 0;
  gateway::Answer answer;
  answer.rows = 1;
  answer.parts = {{"arm", 2, readings[0]}};
  formats::MsgpackWriter reply;
  groot::write_actions(reply, answer, asked.manner);
  is_msgpack(reply);
  return 0;
}
