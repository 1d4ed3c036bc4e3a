// core/runtime/preparer.hpp: makes the next generation of a robot beside the running one: opens,
// checks, creates, warms up. Whatever fails, nothing has moved.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "cambium/result.hpp"
#include "core/config/config.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/installed.hpp"
#include "core/transport/socket.hpp"

namespace cambium::runtime {

class Robot;
class Worker;

/// Threads    prepare() may run on several set-up threads at once.
class Preparer {
 public:
  /// Borrows the first three. `stock` null: only robots without a bundle. program: the `cambium`
  /// that runs isolated robots. trunk_alive: whether to ask it. [setup]
  Preparer(const config::Config& config, transport::Context& context, const nn::Stock* stock,
           std::filesystem::path program, std::function<bool()> trunk_alive)
      : config_(config),
        context_(context),
        stock_(stock),
        program_(std::move(program)),
        trunk_alive_(std::move(trunk_alive)) {}

  /// `robot` on `worker`: if it has a generation already, the new one is tried on its last real
  /// observations. The sentence of an error names the robot. [setup]
  Result<Prepared> prepare(const config::RobotConfig& wanted, Worker& worker, Robot& robot) const;

 private:
  struct Made;
  Result<Made> make_here(const config::RobotConfig& wanted) const;
  Result<Made> make_elsewhere(const config::RobotConfig& wanted, const Worker& worker) const;
  Result<std::unique_ptr<Generation>> make_generation(const config::RobotConfig& wanted,
                                                      Made& made) const;
  Result<std::string> warm_up(Generation& next, const plugin::Embodiment& body, Worker& worker,
                              Robot& robot) const;

  const config::Config& config_;
  transport::Context& context_;
  const nn::Stock* stock_;
  std::filesystem::path program_;
  std::function<bool()> trunk_alive_;
};

}  // namespace cambium::runtime
