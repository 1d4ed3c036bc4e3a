// tests/integration/openpi_fixture.hpp: a host with the bodies of openpi's examples, and a listener
// where their clients connect.
#pragma once

#include <array>
#include <charconv>

#include "core/adapters/openpi/openpi_listener.hpp"
#include "core/formats/msgpack.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/raw_socket.hpp"
#include "tests/support/toy_bodies.hpp"

namespace cambium::test {

class OpenpiTest : public HostTest {
 protected:
  static constexpr unsigned kHorizon = 10;  // which examples/droid/main.py insists on
  static constexpr float kValue = 0.25F;    // every number of every action, sooner or later

  OpenpiTest() {
    config_.robots.clear();
    config_.host.max_message_kb = 512;
    listener_.protocol = config::Protocol::openpi;
    listener_.endpoint = "tcp://127.0.0.1:0";
    listener_.answer_within = 2s;  // a loaded machine is not what is tested here
  }

  /// A robot of one of the bodies ("aloha", "aloha_sim", "droid", "libero"), driven through the
  /// listener.
  void add_robot(const std::string& name, const std::string& body) {
    const auto bundle = folder_ / (body + ".safetensors");
    write_body_bundle(bundle, "toy_" + body, trunk_id_, kValue, kHorizon);
    config::RobotConfig robot;
    robot.name = name;
    robot.plugin = TOY_BODIES;
    robot.embodiment = "toy_" + body;
    robot.bundle = bundle;
    robot.gate.max_observation_age = 10s;
    robot.observation_timeout = 200ms;
    robot.swap.probation = 0;
    config_.robots.push_back(robot);
    listener_.robots.push_back(name);
    listener_.sensors = sensors_of(body);
  }

  static config::SensorMapping numbers(std::vector<std::string> keys,
                                       std::vector<std::uint32_t> take = {}) {
    return {.sensor = "joint_position", .keys = std::move(keys), .take = std::move(take)};
  }
  static config::SensorMapping picture(std::string sensor, std::string key) {
    return {.sensor = std::move(sensor),
            .keys = {std::move(key)},
            .picture = true,
            .fit = config::Fit::stretch};
  }
  static std::vector<config::SensorMapping> sensors_of(const std::string& body) {
    if (body == "aloha") {
      std::vector all = {numbers({"state"})};
      for (const char* name : {"cam_high", "cam_low", "cam_left_wrist", "cam_right_wrist"})
        all.push_back(picture(name, std::string("images/") + name));
      return all;
    }
    if (body == "aloha_sim") return {numbers({"state"}), picture("cam_high", "images/cam_high")};
    if (body == "droid")
      return {numbers({"observation/joint_position", "observation/gripper_position"}),
              picture("exterior", "observation/exterior_image_1_left"),
              picture("wrist", "observation/wrist_image_left")};
    return {numbers({"observation/state"}, {0, 1, 2, 3, 4, 5, 6}),
            picture("image", "observation/image"), picture("wrist", "observation/wrist_image")};
  }

  void start_listener() {
    auto gateway = gateway::Gateway::make(
        listener_, {.controller = {.endpoint = ipc("control")},
                    .describe = [this](const std::string& robot) { return host_->describe(robot); },
                    .log =
                        [this](const std::string& text) {
                          const std::lock_guard lock(logging_);
                          log_ += text + "\n";
                        }});
    ASSERT_TRUE(gateway) << gateway.error().message;
    auto started = adapters::start_openpi(std::move(*gateway));
    ASSERT_TRUE(started) << started.error().message;
    openpi_ = std::move(*started);
    const std::string& endpoint = openpi_->endpoint();
    const char* digits = endpoint.data() + endpoint.rfind(':') + 1;
    std::from_chars(digits, endpoint.data() + endpoint.size(), port_);
    ASSERT_NE(port_, 0);
  }
  void start_all() {
    start_trunk();
    start_host();
    start_listener();
  }

  /// A client that has its metadata.
  RawWebSocket connected(const std::string& target = "/", const std::string& headers = "") {
    RawWebSocket client(port_, target, headers);
    EXPECT_TRUE(client.accepted()) << client.answer;
    const auto metadata = client.answered();
    EXPECT_EQ(metadata.opcode, kBinary) << metadata.close_code() << " " << metadata.payload;
    return client;
  }

  /// What an ALOHA client sends, of floats.
  static std::string aloha_observation(float position = 0, unsigned joints = 14,
                                       unsigned cameras = 4) {
    formats::MsgpackWriter to;
    to.map(2);
    to.text("state");
    to.array(formats::ArrayDialect::openpi, std::array<std::uint64_t, 1>{joints},
             std::vector<float>(joints, position));
    to.text("images");
    to.map(cameras);
    for (unsigned i = 0; i < cameras; ++i) {
      constexpr std::array kNames = {"cam_high", "cam_low", "cam_left_wrist", "cam_right_wrist"};
      to.text(kNames[i]);
      constexpr std::uint64_t side = toy::kPictureSide;
      to.array(formats::ArrayDialect::openpi, std::array<std::uint64_t, 3>{3, side, side},
               std::vector<float>(3 * side * side, 0.5F));
    }
    const auto bytes = to.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// A reply, read.
  struct Reply {
    std::vector<std::uint64_t> shape;
    std::vector<float> actions;
    std::string drive, why, error;  ///< error: it is none
    bool has_previous = false;
    formats::ArrayDialect dialect = formats::ArrayDialect::none;
  };
  static Reply read_reply(const WebFrame& frame, const char* key = "actions") {
    Reply reply;
    if (frame.opcode != kBinary) {
      reply.error = frame.opcode == 0 ? "nothing came" : "no reply: " + frame.payload;
      return reply;
    }
    const auto message = formats::read_msgpack(std::as_bytes(std::span(frame.payload)));
    if (!message) {
      reply.error = message.error().message;
      return reply;
    }
    const auto* value = message->root.find(key);
    const auto* actions = value ? value->as<formats::ArrayView>() : nullptr;
    const auto* ours = message->root.find("cambium");
    const auto* timing = message->root.find("server_timing");
    if (!actions || !ours || !timing) {
      reply.error = "a reply without its entries";
      return reply;
    }
    reply.dialect = message->dialect;
    reply.shape.assign(actions->shape.begin(), actions->shape.begin() + actions->rank);
    reply.actions.resize(actions->count());
    if (!formats::to_floats(*actions, reply.actions)) reply.error = "actions that are no numbers";
    reply.drive = *ours->find("drive")->as<std::string_view>();
    reply.why = *ours->find("why")->as<std::string_view>();
    reply.has_previous = timing->find("prev_total_ms") != nullptr;
    return reply;
  }

  config::ListenerConfig listener_;
  std::unique_ptr<gateway::Listener> openpi_;  // ends before the host, which it drives
  std::uint16_t port_ = 0;
};

}  // namespace cambium::test
