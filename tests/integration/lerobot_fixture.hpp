// tests/integration/lerobot_fixture.hpp: a host with two SO-100 toys, a real trunk, a listener, and
// robot scripts that speak to it over gRPC as LeRobot's client does.
#pragma once

#include <grpcpp/grpcpp.h>

#include <numbers>

#include "core/adapters/lerobot/lerobot_listener.hpp"
#include "tests/integration/host_fixture.hpp"
#include "tests/support/lerobot_reply.hpp"
#include "tests/support/pickle_bytes.hpp"
#include "tests/support/toy_so100.hpp"
#include "wire/lerobot/services.grpc.pb.h"

namespace cambium::test {

namespace wire = ::transport;  // cambium has a transport of its own

/// One connection; calls wait for their answers.
class RobotScript {
 public:
  explicit RobotScript(const std::string& endpoint, std::string token = "")
      : token_(std::move(token)) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all share one connection
    channel_ = grpc::CreateCustomChannel(endpoint.substr(std::string("tcp://").size()),
                                         grpc::InsecureChannelCredentials(), arguments);
    stub_ = wire::AsyncInference::NewStub(channel_);
  }

  grpc::Status ready() {
    const auto context = begin();
    wire::Empty nothing, answer;
    return stub_->Ready(context.get(), nothing, &answer);
  }
  grpc::Status instruct(const std::string& setup) {
    const auto context = begin();
    wire::PolicySetup message;
    message.set_data(setup);
    wire::Empty answer;
    return stub_->SendPolicyInstructions(context.get(), message, &answer);
  }
  using Pieces = std::vector<std::pair<wire::TransferState, std::string>>;
  grpc::Status observe(const std::string& message) {
    return observe(Pieces{{wire::TRANSFER_END, message}});
  }
  grpc::Status observe(const Pieces& pieces) {
    const auto context = begin();
    wire::Empty answer;
    auto stream = stub_->SendObservations(context.get(), &answer);
    for (const auto& [state, data] : pieces) {
      wire::Observation piece;
      piece.set_transfer_state(state);
      piece.set_data(data);
      if (!stream->Write(piece)) break;
    }
    stream->WritesDone();
    return stream->Finish();
  }
  struct Actions {
    grpc::Status status;
    std::string bytes;
    double took_ms = 0;
    std::vector<LerobotAction> rows() const {
      return bytes.empty() ? std::vector<LerobotAction>() : read_reply(bytes);
    }
  };
  Actions ask() {
    const auto begun = base::monotonic_ns();
    const auto context = begin();
    wire::Empty nothing;
    wire::Actions answer;
    Actions actions;
    actions.status = stub_->GetActions(context.get(), nothing, &answer);
    actions.bytes = answer.data();
    actions.took_ms = static_cast<double>(base::monotonic_ns() - begun) * 1e-6;
    return actions;
  }
  /// A call that is broken off while it waits, as by the end of the script or of its connection.
  void break_off() {
    const auto context = begin();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
    wire::Empty nothing;
    wire::Actions answer;
    (void)stub_->GetActions(context.get(), nothing, &answer);
  }
  std::unique_ptr<grpc::ClientContext> begin() const {
    auto context = std::make_unique<grpc::ClientContext>();
    if (!token_.empty()) context->AddMetadata("authorization", "Bearer " + token_);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return context;
  }
  wire::AsyncInference::Stub& stub() { return *stub_; }

 private:
  const std::string token_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<wire::AsyncInference::Stub> stub_;
};

class LerobotTest : public HostTest {
 protected:
  LerobotTest() {
    write_so100_bundle(folder_ / "so100.safetensors", trunk_id_, goal_);
    auto robot = config_.robots.at(0);
    robot.plugin = TOY_SO100;
    robot.bundle = folder_ / "so100.safetensors";
    config_.robots.clear();
    for (const char* name : {"left", "right"}) {
      robot.name = name;
      config_.robots.push_back(robot);
    }
    listener_config_.protocol = config::Protocol::lerobot;
    listener_config_.endpoint = "tcp://127.0.0.1:0";
    listener_config_.robots = {"left", "right"};
    listener_config_.answer_within = 400ms;
    map_so100(listener_config_);
  }

  Result<std::unique_ptr<gateway::Listener>> make_listener(const config::ListenerConfig& config) {
    gateway::HostDoor door;
    door.controller.endpoint = ipc("control");
    door.describe = [this](const std::string& robot) { return host_->describe(robot); };
    door.log = [this](const std::string& text) {
      const std::lock_guard lock(logging_);
      log_ += text + "\n";
    };
    auto gateway = gateway::Gateway::make(config, std::move(door));
    if (!gateway) return gateway.error();
    return adapters::start_lerobot(*std::move(gateway));
  }
  void start_listener() {
    auto made = make_listener(listener_config_);
    ASSERT_TRUE(made) << made.error().message;
    listener_ = *std::move(made);
  }
  void start_all() {
    start_trunk();
    start_host();
    start_listener();
  }
  RobotScript script(const std::string& token = "") {
    return RobotScript(listener_->endpoint(), token);
  }
  /// A script whose robot is driven.
  RobotScript driving(LerobotRobot robot = so100()) {
    RobotScript made = script();
    if (const auto ready = made.ready(); !ready.ok())
      throw std::runtime_error(ready.error_message());
    if (const auto done = made.instruct(lerobot_setup(robot)); !done.ok())
      throw std::runtime_error(done.error_message());
    return made;
  }

  static LerobotRobot so100() {
    LerobotRobot robot{.numbers = kSo100Keys};
    for (const auto& camera : kSo100Cameras)
      robot.cameras.push_back(
          {camera.name, {static_cast<int>(camera.rows), static_cast<int>(camera.columns)}});
    return robot;
  }
  /// Every joint at `position` of the client's units, grey pictures.
  static LerobotFrame frame(std::int64_t timestep, bool must_go = true, double position = 0) {
    using namespace pickled;
    LerobotFrame made{.timestep = timestep, .must_go = must_go};
    for (const auto& key : kSo100Keys) made.readings.emplace_back(key, real(position));
    for (const auto& camera : kSo100Cameras)
      made.readings.emplace_back(
          camera.name, array(dtype("u1", "|"), {camera.rows, camera.columns, 3},
                             std::string(std::size_t{camera.rows} * camera.columns * 3, '\x80')));
    made.readings.emplace_back("task", text("pick up the cube"));
    return made;
  }
  static std::string observation(std::int64_t timestep, bool must_go = true, double position = 0) {
    return lerobot_observation(frame(timestep, must_go, position));
  }
  /// Observes and asks until the policy has answered: a host that has just started holds first.
  static testing::AssertionResult policy_answers(RobotScript& robot, std::int64_t timestep,
                                                 double wanted, RobotScript::Actions& actions) {
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    while (base::monotonic_ns() < until) {
      if (const auto sent = robot.observe(observation(timestep)); !sent.ok())
        return testing::AssertionFailure() << sent.error_message();
      actions = robot.ask();
      if (!actions.status.ok())
        return testing::AssertionFailure() << actions.status.error_message();
      const auto rows = actions.rows();
      if (!rows.empty() && std::abs(rows.back().values.at(0) - wanted) < 1e-3)
        return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "no such action in ten seconds";
  }

  // [rad]: of ranges from -1 (the gripper: 0) to 1.
  const std::vector<float> goal_ = {0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F};
  static constexpr double kGoal = 10;  // of the client's units
  config::ListenerConfig listener_config_;
  std::unique_ptr<gateway::Listener> listener_;
};

}  // namespace cambium::test
