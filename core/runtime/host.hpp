// core/runtime/host.hpp: a running host: its threads, its robots, and the swaps between their
// generations.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/config/config.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/runtime/io_loop.hpp"
#include "core/runtime/robot.hpp"
#include "core/runtime/worker.hpp"
#include "core/transport/socket.hpp"

namespace cambium::runtime {

/// What a swap changes; what is not given stays as it is.
struct SwapRequest {
  std::string robot;
  std::optional<std::filesystem::path> plugin, stem_plugin, head_plugin, bundle;
  std::optional<std::string> head, embodiment;
};

/// What a swap did.
struct SwapReport {
  std::string robot;
  std::string kind;  ///< "embodiment", "plugin", "head", "weights", or "reload" if only the files'
                     ///< contents changed
  std::uint64_t generation = 0;
  double commit_us = 0;  ///< between two ticks, on the robot's thread
  double total_ms = 0;   ///< from the request to the retirement of the old generation
  std::string trunk_id_before,
      trunk_id_after;   ///< as the running trunk says; empty: it was not there
  std::string warm_up;  ///< how the new generation was tried before it was let near the robot
};

/// One robot, for people and programs.
struct RobotStatus {
  std::string name, embodiment, plugin, plugin_version, head, head_version, bundle, drive, reason;
  std::uint32_t dof = 0;
  std::uint64_t generation = 0, ticks = 0, policy_ticks = 0, missed = 0, limited = 0, refused = 0,
                requests = 0, chunks = 0, late_chunks = 0;
  double tick_us_p50 = 0, tick_us_p99 = 0;
  bool controller = false;  ///< one was heard within its time-out
};

/// Threads    All public calls may come from any thread but a robot's; swaps are serialised, status
/// never waits for one.
class Host {
 public:
  using Log = std::function<void(const std::string&)>;

  /// Reads the stock, binds the sockets, starts the threads and adds the configured robots. What
  /// fails is undone. [setup]
  static Result<std::unique_ptr<Host>> start(config::Config config, Log log);
  ~Host();

  Result<void> add(const config::RobotConfig& robot);
  Result<void> remove(const std::string& robot);
  /// prepare (open, check, create, warm up) -> commit (one message) -> retire. Whatever fails, the
  /// old generation goes on.
  Result<SwapReport> swap(const SwapRequest& request);

  std::vector<RobotStatus> status() const;
  const config::Config& config() const noexcept { return config_; }
  transport::Context& context() noexcept { return context_; }
  /// 64 hex digits; empty without a stock.
  std::string trunk_id() const { return stock_ ? stock_->trunk_id() : ""; }
  bool trunk_alive() const noexcept { return io_->trunk_alive(); }
  const std::string& control_endpoint() const noexcept { return io_->control_endpoint(); }

 private:
  struct Slot {
    config::RobotConfig config;
    std::unique_ptr<Robot> robot;
    Worker* worker = nullptr;
    std::uint64_t generation = 0;
    plugin::Embodiment body;
    RobotStatus facts;  // what changes only with a swap
    std::string plugin_sha, head_sha, bundle_sha;
  };
  struct Prepared;

  explicit Host(config::Config config, Log log);
  Result<Prepared> prepare(const config::RobotConfig& robot, const Slot* running);
  std::string warm_up(Prepared& prepared, const Slot* running, Error& failure);
  SwapReport commit(Slot& slot, Prepared prepared);
  std::unique_ptr<Route> route_to(const Slot& slot, const plugin::Embodiment& body,
                                  std::uint64_t number, std::uint64_t body_number,
                                  std::uint32_t horizon);
  /// True if it has real-time priority.
  bool prepare_thread(const std::string& name, int priority);
  Result<Slot*> find(const std::string& robot);

  config::Config config_;
  Log log_;
  transport::Context context_;
  std::optional<nn::Stock> stock_;
  std::unique_ptr<IoLoop> io_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::mutex change_;         // guards the set of robots and every swap
  mutable std::mutex table_;  // guards slots_ against status(); held for moments only
  std::map<std::uint32_t, std::unique_ptr<Slot>> slots_;  // by robot id
  std::once_flag realtime_said_;
};

}  // namespace cambium::runtime
