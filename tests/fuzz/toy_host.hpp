// tests/fuzz/toy_host.hpp: a whole host with one toy robot, whose sockets never leave the process.
#pragma once

#include <memory>
#include <string>

#include "core/runtime/host.hpp"
#include "tests/fuzz/peer.hpp"
#include "tests/support/temporary.hpp"
#include "tests/support/toy_files.hpp"

namespace cambium::fuzz {

class ToyHost {
 public:
  /// named: its controllers may have a context of their own.
  explicit ToyHost(bool named = false) {
    config_.trunk.stock = folder_ / "stock.safetensors";
    config_.host.control = named ? "ipc://" + (folder_ / "control").string() : "inproc://control";
    config_.host.admin = "inproc://admin";
    config_.host.run_dir = folder_.path();
    config_.host.realtime = config::Realtime::off;
    trunk_id_ = test::write_toy_stock(config_.trunk.stock);
    test::write_toy_bundle(folder_ / "arm.safetensors", {.trunk_id = trunk_id_});
    robot_.name = "left";
    robot_.plugin = TOY_ARM;
    robot_.bundle = folder_ / "arm.safetensors";
    robot_.gate.max_observation_age = std::chrono::seconds(60);  // a slow machine is no finding
    config_.robots = {robot_};
  }

  /// Without a trunk there, the first generation is tried on zeros after a second.
  void start(const std::string& trunk = "inproc://trunk") {
    config_.trunk.endpoint = trunk;
    host_ = Caller::must(runtime::Host::start(config_, [](const std::string&) {}));
  }
  runtime::Host& host() noexcept { return *host_; }
  const std::string& control() const noexcept { return config_.host.control; }
  const config::RobotConfig& robot() const noexcept { return robot_; }
  const std::string& trunk_id() const noexcept { return trunk_id_; }

 private:
  test::TemporaryFolder folder_;
  std::string trunk_id_;
  config::Config config_;
  config::RobotConfig robot_;
  std::unique_ptr<runtime::Host> host_;
};

}  // namespace cambium::fuzz
