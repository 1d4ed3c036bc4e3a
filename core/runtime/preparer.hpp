// core/runtime/preparer.hpp: makes the next generation of a robot beside the running one: opens,
// checks, creates, warms up. Whatever fails, nothing has moved.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "cambium/result.hpp"
#include "core/base/trust.hpp"
#include "core/config/config.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/installed.hpp"
#include "core/runtime/policy.hpp"
#include "core/transport/socket.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {

class Robot;
class Worker;

/// What a generation is made on.
struct Ground {
  std::shared_ptr<const nn::Stock> stock;  ///< null: only robots without a bundle
  bool needs_trunk = false;                ///< refuse, rather than warm up without the trunk
};

/// Threads    prepare() may run on several set-up threads at once.
class Preparer {
 public:
  /// Borrows the first two. owner: as in IoOptions. program: the `cambium` that runs isolated
  /// robots. trust: whose plugins and bundles, here and there. trunk_alive: whether to ask it.
  /// give_up: the host ends. [setup]
  Preparer(const config::Config& config, transport::Context& context, std::uint64_t owner,
           std::filesystem::path program, base::Trust trust, std::function<bool()> trunk_alive,
           std::function<bool()> give_up)
      : config_(config),
        context_(context),
        owner_(owner),
        program_(std::move(program)),
        trust_(std::move(trust)),
        trunk_alive_(std::move(trunk_alive)),
        give_up_(std::move(give_up)) {}

  /// `robot` on `worker`: if it has a generation already, made of `now`, the new one is tried on
  /// its last real observations, and on what the trunk remembers, which stays as it is. A trunk
  /// that does not serve the stock is asked to load it. The sentence of an error names the robot.
  /// [setup]
  Result<Prepared> prepare(const config::RobotConfig& wanted, Worker& worker, Robot& robot,
                           const Ground& ground, const Installed* now = nullptr) const;

 private:
  struct Made;
  Result<Made> make_here(const config::RobotConfig& wanted, const Ground& ground) const;
  Result<Made> make_elsewhere(const config::RobotConfig& wanted, const Worker& worker,
                              const Ground& ground) const;
  Result<std::unique_ptr<Generation>> make_generation(const config::RobotConfig& wanted,
                                                      Made& made) const;
  Result<std::string> warm_up(Generation& next, const Installed& parts, Worker& worker,
                              Robot& robot, const Ground& ground) const;
  Result<std::string> ask_trunk(const trunk::TokensRequest& request, std::span<float> features,
                                const Ground& ground) const;

  const config::Config& config_;
  transport::Context& context_;
  std::uint64_t owner_;
  std::filesystem::path program_;
  base::Trust trust_;
  std::function<bool()> trunk_alive_, give_up_;
};

}  // namespace cambium::runtime
