// core/runtime/host.hpp: a running host: its threads, its robots, and the swaps between their
// generations.
#pragma once

#include <atomic>
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
#include "core/runtime/keeper.hpp"
#include "core/runtime/memory_news.hpp"
#include "core/runtime/robot.hpp"
#include "core/runtime/swap.hpp"
#include "core/runtime/trunk_keeper.hpp"
#include "core/runtime/trunk_swap.hpp"
#include "core/runtime/worker.hpp"
#include "core/transport/keyring.hpp"
#include "core/transport/socket.hpp"

namespace cambium::runtime {

/// One robot, for people and programs.
struct RobotStatus {
  std::string name, embodiment, plugin, plugin_version, head, head_version, bundle, drive, reason;
  std::uint32_t dof = 0;
  std::uint64_t generation = 0, ticks = 0, policy_ticks = 0, shown_ticks = 0, missed = 0,
                limited = 0, refused = 0, overwritten = 0, requests = 0, chunks = 0,
                late_chunks = 0;
  double tick_us_p50 = 0, tick_us_p99 = 0;
  bool controller = false;      ///< one was heard within its time-out
  bool recording = false;       ///< its demonstrations are being recorded
  bool isolated = false;        ///< stems and head run in a process of their own
  std::uint64_t shared_kb = 0;  ///< of memory in which the controller leaves large readings
  std::string swapping;         ///< stage of the swap under way; empty: none
  std::string session;          ///< the trunk remembers it by this name
  std::string memory;           ///< of the last answer: "none", "kept", "began", "restored"
  std::uint64_t memory_steps = 0, memory_lost = 0, memory_restored = 0;  ///< see MemoryCounters
  std::string trunk_said;  ///< why the trunk refuses its requests; empty: it does not
};

/// Threads    All public calls may come from any thread but a robot's. Swaps of one robot come one
/// after the other, swaps of several robots side by side; status never waits for one.
class Host {
 public:
  using Log = std::function<void(const std::string&)>;

  /// Reads the stock, binds the sockets, starts the threads and adds the configured robots. What
  /// fails is undone. `log` may be called by several threads, one at a time. program: the `cambium`
  /// that runs isolated robots; empty: this program. [setup]
  static Result<std::unique_ptr<Host>> start(config::Config config, Log log,
                                             std::filesystem::path program = {});
  ~Host();

  Result<void> add(const config::RobotConfig& robot);
  /// Waits for a swap of it that is under way. [setup]
  Result<void> remove(const std::string& robot);
  /// See SwapStage. Whatever fails, the old generation goes on; the report says why. [setup]
  SwapReport swap(const SwapRequest& request);
  /// Back to the generation before the last swap, as it stepped back then; done twice, forth again.
  /// [setup]
  SwapReport rollback(const std::string& robot, bool wait = true);
  /// All robots with a bundle, and those that come later, on another trunk: all or none. `busy`
  /// while another one is under way. [setup]
  TrunkSwapReport swap_trunk(const TrunkSwapRequest& request);
  /// The robot's last swaps, oldest first. [setup]
  Result<std::vector<SwapReport>> swaps(const std::string& robot) const;

  /// From now on what the robot's controller demonstrates is kept for whoever takes it; nothing of
  /// the robot waits for that. `busy` while another one or a swap is under way. [setup]
  Result<RecordingInfo> record(const std::string& robot);
  Result<TakenRows> take_rows(const std::string& robot, std::uint64_t ticket) const;
  Result<void> end_recording(const std::string& robot, std::uint64_t ticket);

  /// Swaps wait for no tick any more, from now on: shadow and probation end as far as they have
  /// come. For whoever waits for a swap and wants the host to end. [any]
  void hurry() noexcept { ending_ = true; }

  std::vector<RobotStatus> status() const;
  /// What a controller is told of a robot, as it is now. Waits for no swap. [any]
  Result<RobotInfo> describe(const std::string& robot) const;
  const config::Config& config() const noexcept { return config_; }
  /// The context of the control socket and of the ticks' link to the trunk. [any]
  transport::Context& tick_context() noexcept { return *tick_context_; }
  /// For sockets beside the ticks: the admin desk's, a swap's. [any]
  transport::Context& context() noexcept { return *set_up_context_; }
  /// 64 hex digits; empty without a stock.
  std::string trunk_id() const;
  /// Who was let in by keys and who was not; nothing without keys. [any]
  std::optional<transport::AllowStatus> keys() const;
  bool trunk_alive() const noexcept { return io_->trunk_alive(); }
  const std::string& control_endpoint() const noexcept { return io_->control_endpoint(); }

 private:
  using Slots = std::map<std::uint32_t, std::shared_ptr<RobotSlot>>;

  Host(config::Config config, Log log);
  void log(const std::string& text);
  void log_swap(const SwapReport& report);
  /// True if it has real-time priority.
  bool prepare_thread(const std::string& name, int priority);
  std::unique_ptr<Worker> make_worker(const std::string& name);
  Result<std::shared_ptr<RobotSlot>> find(const std::string& robot) const;
  /// The slot, and its `changing` held; `busy` if it is held by another and `wait` is false.
  Result<std::pair<std::shared_ptr<RobotSlot>, std::unique_lock<std::mutex>>> hold(
      const std::string& robot, bool wait) const;
  Swap::Means means();
  std::shared_ptr<const nn::Stock> stock() const;
  std::vector<TrunkNeed> trunk_needs();
  void listen_to_trunk();
  SwapReport restart(const std::string& robot, const std::string& obituary);
  std::vector<std::shared_ptr<RobotSlot>> slots() const;

  config::Config config_;
  base::Trust trust_;  // read once, at the start
  Log log_;
  mutable std::mutex logging_;                   // one line at a time
  std::unique_ptr<transport::Keyring> keyring_;  // null: no keys
  // Two, so that what a swap sends does not stand in the way of a tick's messages.
  std::optional<transport::Context> tick_context_, set_up_context_;
  std::shared_ptr<const nn::Stock> stock_;  // of robots to come; guarded by table_
  std::unique_ptr<IoLoop> io_;
  std::optional<Preparer> preparer_;
  std::vector<std::unique_ptr<Worker>> workers_;  // shared ones; empty: each robot has its own
  std::mutex swapping_trunk_;                     // held for a whole one
  std::mutex adding_;         // guards the set of robots against two that change it
  mutable std::mutex table_;  // guards slots_; held for moments only
  Slots slots_;               // by robot id
  struct Kept {
    std::filesystem::path stock;
    base::Nanoseconds until = 0;
  };
  std::map<base::Digest, Kept> kept_;  // trunks needed beside those of robots; guarded by table_
  std::atomic<bool> ending_{false};
  std::once_flag realtime_said_;
  const std::uint64_t owner_;  // of memories in the trunk; the next host that starts has another
  std::map<std::string, std::uint64_t>
      episodes_;  // of robots that were removed; guarded by adding_
  MemoryNews news_{[this](const std::string& text) { log(text); }};
  // Last: they use all of the above.
  std::unique_ptr<TrunkKeeper> trunk_keeper_;
  std::unique_ptr<Keeper> keeper_;
};

}  // namespace cambium::runtime
