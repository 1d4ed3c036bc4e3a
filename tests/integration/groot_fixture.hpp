// tests/integration/groot_fixture.hpp: a whole host whose toys look like the robots of GR00T's
// examples, listeners for them, and clients with ZeroMQ's own REQ sockets.
#pragma once

#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <zmq.hpp>

#include "core/adapters/groot/groot_listener.hpp"
#include "core/formats/msgpack.hpp"
#include "core/nn/bundle.hpp"
#include "tests/integration/host_fixture.hpp"

namespace cambium::test {

using Message = std::vector<std::byte>;

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A client: one request, one answer.
class Requester {
 public:
  Requester(zmq::context_t& context, const std::string& endpoint)
      : socket_(context, zmq::socket_type::req) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvtimeo, 10'000);
    socket_.connect(endpoint);
  }
  void send(std::span<const std::byte> request) {
    socket_.send(zmq::buffer(request.data(), request.size()));
  }
  /// Empty: none came.
  std::optional<Message> receive() {
    zmq::message_t reply;
    if (!socket_.recv(reply)) return std::nullopt;
    const auto* data = static_cast<const std::byte*>(reply.data());
    return Message(data, data + reply.size());
  }
  std::optional<Message> ask(std::span<const std::byte> request) {
    send(request);
    return receive();
  }
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
};

/// An answer, read.
struct Read {
  explicit Read(std::optional<Message> reply) : bytes(reply ? std::move(*reply) : Message()) {
    if (auto read = formats::read_msgpack(bytes)) message = std::move(*read);
  }
  /// Empty unless it is {"error": …}.
  std::string error() const {
    const auto* value = message.root.find("error");
    const auto* text = value ? value->as<std::string_view>() : nullptr;
    return text ? std::string(*text) : "";
  }
  /// The actions, whether they stand alone (N1.5) or beside an info map; null if there are none.
  const formats::Value* actions() const {
    if (const auto* list = message.root.as<formats::List>())
      return list->size() == 2 ? &(*list)[0] : nullptr;
    return message.root.as<formats::Map>() && error().empty() ? &message.root : nullptr;
  }
  std::string info(std::string_view key) const {
    const auto* list = message.root.as<formats::List>();
    const auto* value = list && list->size() == 2 ? (*list)[1].find(key) : nullptr;
    const auto* text = value ? value->as<std::string_view>() : nullptr;
    return text ? std::string(*text) : "";
  }
  /// Empty if there is no such array.
  std::vector<float> numbers(std::string_view key) const {
    const auto* array = actions() && actions()->find(key)
                            ? actions()->find(key)->as<formats::ArrayView>()
                            : nullptr;
    std::vector<float> to(array ? array->count() : 0);
    if (array && !formats::to_floats(*array, to)) to.clear();
    return to;
  }
  Message bytes;
  formats::MsgpackMessage message;
};

/// {"endpoint": …}
inline Message request_for(std::string_view endpoint, std::string_view token = {}) {
  formats::MsgpackWriter to;
  to.map(token.empty() ? 1 : 2);
  to.text("endpoint"), to.text(endpoint);
  if (!token.empty()) to.text("api_token"), to.text(token);
  return {to.bytes().begin(), to.bytes().end()};
}

/// A get_action of N1.6: nested, one moment, a state of these numbers and no camera.
inline Message state_request(const std::vector<float>& numbers,
                             formats::ArrayDialect dialect = formats::ArrayDialect::npy,
                             std::string_view task = "stay") {
  formats::MsgpackWriter to;
  to.map(2);
  to.text("endpoint"), to.text("get_action");
  to.text("data"), to.map(2);
  to.text("observation"), to.map(2);
  to.text("state"), to.map(1);
  to.text("x"), to.array(dialect, std::array<std::uint64_t, 3>{1, 1, numbers.size()}, numbers);
  to.text("language"), to.map(1);
  to.text("annotation.human.task_description"), to.list(1), to.list(1), to.text(task);
  to.text("options"), to.nil();
  return {to.bytes().begin(), to.bytes().end()};
}

class GrootTest : public HostTest {
 protected:
  GrootTest() { config_.robots.clear(); }
  ~GrootTest() override { listeners_.clear(); }  // before the host

  static float velocity_of(std::size_t joint) { return 0.1F + 0.01F * static_cast<float>(joint); }

  void add_robot(const std::string& name, const std::string& embodiment, unsigned dof,
                 unsigned horizon, const std::string& head = "constant") {
    nn::BundleSpec spec{.embodiment = embodiment, .trunk_id = trunk_id_, .width = kToyWidth};
    spec.horizon = horizon;
    spec.dof = dof;
    spec.control_hz = 100;
    spec.layout = {{.sensor = "joint_position", .stem = "pass", .shape = {dof}, .parameters = {}}};
    spec.head = head;
    std::vector<float> value;
    for (unsigned i = 0; i < dof; ++i) value.push_back(velocity_of(i));
    const std::vector<float> one = {1.0F}, zero = {0.0F};
    std::vector<nn::TensorToWrite> tensors = {
        {nn::head_prefix(embodiment) + "value", nn::DType::f32, {dof}, value.data()}};
    for (const char* what : {"joint_position", "action"}) {
      const auto prefix = nn::normaliser_prefix(embodiment, what);
      tensors.push_back({prefix + "scale", nn::DType::f32, {1}, one.data()});
      tensors.push_back({prefix + "offset", nn::DType::f32, {1}, zero.data()});
    }
    const auto file = folder_ / (name + ".safetensors");
    if (const auto written = nn::write_bundle(file, spec, tensors); !written)
      throw std::runtime_error(written.error().message);
    config::RobotConfig robot;
    robot.name = name;
    robot.plugin = TOY_GROOT;
    robot.embodiment = embodiment;
    robot.bundle = file;
    robot.gate.max_observation_age = 10s;  // a loaded machine is not what is tested here
    robot.observation_timeout = 200ms;
    robot.swap.probation = 0;
    config_.robots.push_back(robot);
  }
  void start() {
    config_.host.max_message_kb = 1024;
    start_trunk();
    start_host();
    ASSERT_TRUE(eventually([this] { return host_->trunk_alive(); }));
  }

  config::ListenerConfig listener(std::vector<std::string> robots) {
    config::ListenerConfig listener;
    listener.protocol = config::Protocol::groot;
    listener.endpoint = "tcp://127.0.0.1:0";
    listener.robots = std::move(robots);
    listener.answer_within = 5s;  // a loaded machine again
    listener.silent_after = 60s;
    return listener;
  }
  static config::SensorMapping sensor(const std::string& name, std::vector<std::string> keys) {
    config::SensorMapping mapping;
    mapping.sensor = name;
    mapping.keys = std::move(keys);
    return mapping;
  }
  // `key` moves joints `from` to below `to`.
  static config::ActionMapping action(const std::string& key, unsigned from, unsigned to) {
    config::ActionMapping mapping;
    mapping.key = key;
    for (unsigned i = from; i < to; ++i) mapping.joints.push_back("j" + std::to_string(i));
    return mapping;
  }

  config::ListenerConfig so100() {
    auto config = listener({"so100"});
    config.sensors = {sensor("joint_position", {"state.single_arm", "state.gripper"}),
                      sensor("front", {"video.front"}), sensor("wrist", {"video.wrist"})};
    config.actions = {action("single_arm", 0, 5), action("gripper", 5, 6)};
    return config;
  }
  config::ListenerConfig four(std::vector<std::string> robots) {
    auto config = listener(std::move(robots));
    config.sensors = {sensor("joint_position", {"state.x"})};
    config.actions = {action("x", 0, 4)};
    return config;
  }

  // As `cambium host` opens it.
  gateway::HostDoor door() {
    return {.controller = {.endpoint = ipc("control")},
            .describe = [this](const std::string& robot) { return host_->describe(robot); },
            .log =
                [this](const std::string& line) {
                  const std::lock_guard lock(logging_);
                  log_ += line + "\n";
                }};
  }
  // The endpoint that it serves.
  std::string listen(config::ListenerConfig config) {
    auto gateway = gateway::Gateway::make(std::move(config), door());
    if (!gateway) throw std::runtime_error(gateway.error().message);
    auto listener = adapters::start_groot(std::move(*gateway));
    if (!listener) throw std::runtime_error(listener.error().message);
    listeners_.push_back(std::move(*listener));
    return listeners_.back()->endpoint();
  }
  Requester requester(const std::string& endpoint) { return {peers_, endpoint}; }

  // Who drives, or the error; on a machine that has other things to do a chunk may be late.
  static std::string drive(Requester& client, std::span<const std::byte> request) {
    std::string drive;
    [[maybe_unused]] const bool driven = eventually([&] {
      const Read reply(client.ask(request));
      drive = reply.info("drive") + reply.error();
      return drive != "hold";
    });
    return drive;
  }

  static bool have_golden() { return std::filesystem::exists(golden()); }
  static std::filesystem::path golden() {
    return std::filesystem::path(CAMBIUM_GOLDEN) / "wire/groot";
  }
  static Message golden(const std::string& name) {
    std::ifstream file(golden() / (name + ".bin"), std::ios::binary);
    if (!file) throw std::runtime_error("no capture " + name);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto bytes = bytes_of(text);
    return {bytes.begin(), bytes.end()};
  }

  zmq::context_t peers_;
  std::vector<std::unique_ptr<gateway::Listener>> listeners_;
};

}  // namespace cambium::test
