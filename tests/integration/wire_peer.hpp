// tests/integration/wire_peer.hpp: the two ends of a controller's socket, message by message, for
// what the client and the host would never send by themselves.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cambium/version.hpp"
#include "core/base/clock.hpp"
#include "core/runtime/welcome.hpp"
#include "core/transport/socket.hpp"
#include "core/transport/verify.hpp"
#include "wire/action_generated.h"
#include "wire/hello_generated.h"
#include "wire/observation_generated.h"
#include "wire/welcome_generated.h"

namespace cambium::test {

/// A socket that waits for messages of one kind and drops the others; for five seconds at most.
class WirePeer {
 protected:
  template <class Message>
  const Message* wait_for(const char* identifier) {
    const auto until = base::monotonic_ns() + 5 * base::kSecond;
    while (base::monotonic_ns() < until) {
      std::span<const std::byte> bytes;
      const Status got = socket_->receive(from_, bytes);
      if (got.code() == Code::stale) poller_.wait(base::kMillisecond);
      if (!got.ok()) continue;
      if (const auto* message = transport::verify<Message>(bytes, identifier)) return message;
    }
    return nullptr;
  }
  void own(Result<transport::Socket> socket) {
    if (!socket) throw std::runtime_error(socket.error().message);
    socket_.emplace(std::move(*socket));
    poller_.add(*socket_);
  }

  transport::Context context_;
  std::optional<transport::Socket> socket_;
  transport::Poller poller_;
  transport::Peer from_;
  flatbuffers::FlatBufferBuilder builder_;
};

/// Plays the host of a toy arm, as late as it likes.
class WireHost : private WirePeer {
 public:
  explicit WireHost(const std::string& endpoint) {
    own(transport::Socket::bind(context_, transport::SocketKind::router, endpoint));
  }
  void welcome() {
    ASSERT_NE(wait_for<wire::Hello>(wire::HelloIdentifier()), nullptr);
    plugin::Embodiment body;
    body.name = "toy_arm";
    body.joints.resize(2);
    body.joints[0].name = "a";
    body.joints[1].name = "b";
    body.sensors = {{.name = "joint_position", .unit = "rad", .frame = "joint", .shape = {2}},
                    {.name = "goal", .unit = "m", .frame = "base", .shape = {3}}};
    body.control_hz = 100;
    const auto bytes = runtime::welcome(0, "left", body, 1, 1, 8, {});
    ASSERT_TRUE(socket_->send(from_, bytes).ok());
  }
  /// Of the next observation: its sequence number.
  std::uint64_t observation() {
    const auto* message = wait_for<wire::Observation>(wire::ObservationIdentifier());
    return message ? message->sequence() : 0;
  }
  void answer(std::uint64_t sequence, float value) {
    builder_.Clear();
    const auto values = builder_.CreateVector(std::vector<float>{value, value});
    wire::FinishActionBuffer(builder_, wire::CreateAction(builder_, 0, sequence, 1, 1,
                                                          wire::Drive::policy, 0, 0, 0, values));
    ASSERT_TRUE(socket_->send(from_, transport::bytes_of(builder_)).ok());
  }
};

/// Drives a toy arm; says when it is what it likes.
class WireController : private WirePeer {
 public:
  WireController(const std::string& endpoint, const std::string& robot) {
    own(transport::Socket::connect(context_, transport::SocketKind::dealer, endpoint));
    const auto name = builder_.CreateString("wire"), which = builder_.CreateString(robot);
    wire::FinishHelloBuffer(builder_, wire::CreateHello(builder_, kWireProtocol, name, which));
    const auto until = base::monotonic_ns() + 5 * base::kSecond;
    while (!socket_->send(transport::bytes_of(builder_)).ok() && base::monotonic_ns() < until)
      poller_.wait(base::kMillisecond);
    const auto* welcome = wait_for<wire::Welcome>(wire::WelcomeIdentifier());
    if (!welcome) return;
    joined_ = true;
    robot_ = welcome->robot_id();
    body_ = welcome->body();
  }
  bool joined() const noexcept { return joined_; }

  struct Answer {
    Drive drive;
    Code reason;
  };
  /// Nothing if there is no answer to this very observation.
  std::optional<Answer> act(std::int64_t time_ns) {
    builder_.Clear();
    std::vector<flatbuffers::Offset<wire::Reading>> readings;
    for (const std::size_t size : {2, 3}) {
      const auto values = builder_.CreateVector(std::vector<float>(size, 0.0F));
      readings.push_back(wire::CreateReading(builder_, values));
    }
    const auto all = builder_.CreateVector(readings);
    wire::FinishObservationBuffer(
        builder_, wire::CreateObservation(builder_, robot_, body_, ++sequence_, time_ns,
                                          wire::Want::action, false, all));
    if (!socket_->send(transport::bytes_of(builder_)).ok()) return std::nullopt;
    const auto* action = wait_for<wire::Action>(wire::ActionIdentifier());
    if (!action || action->sequence() != sequence_) return std::nullopt;
    return Answer{static_cast<Drive>(action->drive()), static_cast<Code>(action->reason())};
  }

 private:
  bool joined_ = false;
  std::uint32_t robot_ = 0;
  std::uint64_t body_ = 0, sequence_ = 0;
};

}  // namespace cambium::test
