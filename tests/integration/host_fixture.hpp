// tests/integration/host_fixture.hpp: a whole host, a real trunk and real controllers over ipc, in
// one process; the robots are toys whose actions are known.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "cambium/client.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/host.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/server.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::test {

using namespace std::chrono_literals;
using runtime::Host;

class HostTest : public testing::Test {
 protected:
  HostTest() {
    trunk_id_ = test::write_toy_stock(folder_ / "stock.safetensors");
    test::write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = trunk_id_});
    test::write_toy_bundle(folder_ / "arm_other.safetensors",
                           {.trunk_id = trunk_id_, .value = {0.3F, 0.0F}});
    test::write_toy_bundle(
        folder_ / "cart.safetensors",
        {.embodiment = "toy_cart", .dof = 1, .trunk_id = trunk_id_, .value = {0.2F}});
    config_.trunk.endpoint = ipc("trunk");
    config_.trunk.stock = folder_ / "stock.safetensors";
    config_.host.control = ipc("control");
    config_.host.admin = ipc("admin");
    config_.host.run_dir = folder_.path();
    config_.host.realtime = config::Realtime::off;
    config::RobotConfig left;
    left.name = "left";
    left.plugin = TOY_ARM;
    left.bundle = folder_ / "arm.safetensors";
    left.replan_every = 2;
    left.gate.max_observation_age = 10s;  // a loaded machine is not what is tested here
    left.observation_timeout = 200ms;
    left.swap.probation = 0;  // a robot that nobody drives cannot prove anything
    config_.robots = {left};
  }

  std::string ipc(const std::string& name) { return "ipc://" + (folder_ / name).string(); }

  void start_trunk(unsigned seed = 0) {
    test::write_toy_stock(folder_ / "served.safetensors", seed);
    auto stock = nn::Stock::open(folder_ / "served.safetensors");
    ASSERT_TRUE(stock);
    auto model = trunk::load_model(stock->file(), {.max_rows = 1024});
    ASSERT_TRUE(model) << model.error().message;
    auto server = trunk::TrunkServer::start(
        {.endpoint = ipc("trunk"), .open = open_, .lease = lease_},
        {.id = base::from_hex(stock->trunk_id()), .backend = "", .max_tokens = 256},
        std::move(*model));
    ASSERT_TRUE(server) << server.error().message;
    trunk_ = std::make_unique<trunk::TrunkServer>(std::move(*server));
  }
  void start_host() {
    auto host = Host::start(
        config_,
        [this](const std::string& text) {
          const std::lock_guard lock(logging_);
          log_ += text + "\n";
        },
        program_);
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(*host);
  }

  Client client(const std::string& robot = "left", const std::string& embodiment = "") {
    auto opened =
        Client::open({.endpoint = ipc("control"),
                      .robot = robot,
                      .embodiment = embodiment,
                      .name = "test",
                      .on_event = [this](const ClientEvent& event) { events_.push_back(event); }});
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  static Status tick(Client& client, ActionReply& reply, float position = 0,
                     std::chrono::microseconds timeout = 1s) {
    if (const auto* info = client.robot()) {
      const std::vector<float> joints(info->joints.size(), position), goal(3, 0.0F);
      if (Status set = client.set("joint_position", joints); !set.ok()) return set;
      if (Status set = client.set("goal", goal); !set.ok()) return set;
    }
    return client.act(reply, timeout);
  }

  // Ticks until the reply is as wanted; for ten seconds at most.
  template <class Wanted>
  testing::AssertionResult tick_until(Client& client, ActionReply& reply, Wanted wanted) {
    Status status;
    const auto until = base::monotonic_ns() + 10 * base::kSecond;
    while (base::monotonic_ns() < until) {
      status = tick(client, reply);
      if (status.ok() && wanted(reply)) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << "last answer " << to_string(status.code()) << ", " << to_string(reply.drive)
           << ", reason " << to_string(reply.reason) << "; host said: " << log_;
  }

  // Looks until it is so; for five seconds at most.
  static bool eventually(const std::function<bool()>& so) {
    const auto until = base::monotonic_ns() + 5 * base::kSecond;
    while (!so()) {
      if (base::monotonic_ns() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // Of a host that may be talking.
  std::string log() const {
    const std::lock_guard lock(logging_);
    return log_;
  }

  test::TemporaryFolder folder_;
  mutable std::mutex logging_;
  std::string trunk_id_, log_;
  config::Config config_;
  std::filesystem::path program_;  ///< that runs isolated robots; empty: this one
  trunk::OpenStock open_;          ///< empty: the trunk serves one stock
  base::Nanoseconds lease_ = 5 * base::kSecond;
  std::unique_ptr<trunk::TrunkServer> trunk_;
  std::unique_ptr<Host> host_;
  std::vector<ClientEvent> events_;
};

inline bool by_policy(const ActionReply& reply) {
  return reply.drive == Drive::policy;
}

}  // namespace cambium::test
