// core/runtime/swap.hpp: one swap of one robot, from the request to its end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/base/file_lock.hpp"
#include "core/runtime/comparison.hpp"
#include "core/runtime/installed.hpp"
#include "core/runtime/io_loop.hpp"
#include "core/runtime/pact.hpp"
#include "core/runtime/preparer.hpp"
#include "core/runtime/recording.hpp"
#include "core/runtime/robot.hpp"
#include "core/runtime/swap_stage.hpp"
#include "core/runtime/worker.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {

/// What a swap changes; what is not given stays as it is, and is read again from its file.
struct SwapRequest {
  std::string robot;
  std::optional<std::filesystem::path> plugin, stem_plugin, head_plugin, bundle;
  std::optional<std::string> head, embodiment;
  /// Else as the robot's [robot.swap] says.
  std::optional<std::uint32_t> shadow, probation;
  std::optional<double> shadow_bound;
  bool fresh = false;  ///< the trunk is to forget the robot, even if the memory could go on
  bool dry_run = false;
  bool wait = true;  ///< for a swap of the robot that is under way; else `busy`
};

/// How far two generations differ in one joint, in the unit of the action.
struct JointDifference {
  std::string joint;
  std::string unit;
  double mean = 0, largest = 0;
  double bound = 0;  ///< the largest that is let through
};

/// What a swap did, or why it did not.
struct SwapReport {
  std::string robot;
  std::string kind;  ///< "trunk", "embodiment", "plugin", "stem", "head", "weights", "rollback",
                     ///< "restart",
                     ///< or "reload" if the files were read again and nothing has changed
  SwapStage end = SwapStage::refused;
  Code code = Code::ok;  ///< ok: the new generation acts, or would
  std::string reason;    ///< one sentence; empty if code is ok and there is nothing to add
  std::uint64_t from = 0, generation = 0;  ///< before and after
  double commit_us = 0;                    ///< between two ticks, on the robot's thread
  double prepare_ms = 0, total_ms = 0;
  std::int64_t time_s = 0;  ///< when it ended, seconds since 1970
  std::string trunk_id_before,
      trunk_id_after;   ///< as the running trunk says; empty: it was not there
  std::string warm_up;  ///< how the new generation was tried before it was let near the robot
  std::string state;    ///< what became of what the stems and the head remembered
  std::string memory;   ///< what became of what the trunk remembered: "kept", "fresh", or "none"
  std::string memory_reason;                 ///< why it is not kept
  std::uint64_t shadow_rows = 0;             ///< actions that were compared
  std::vector<JointDifference> differences;  ///< of a shadow
  std::uint32_t probation = 0, proved = 0;   ///< ticks asked for and stood
  bool with_others =
      false;  ///< nothing was wrong with it, but with a robot it changes together with

  bool ok() const noexcept { return code == Code::ok; }
};

/// "; the trunk goes on with its memory of the robot", to follow another sentence. Empty where
/// there is none.
std::string sentence_of_memory(const SwapReport& report);

/// A robot as the host keeps it.
struct RobotSlot {
  explicit RobotSlot(std::optional<base::FileLock> name) : claim(std::move(name)) {}

  std::optional<base::FileLock> claim;  ///< of its name, among hosts
  std::unique_ptr<Worker> own_worker;   ///< null: it shares one
  Worker* worker = nullptr;
  std::unique_ptr<Robot> robot;

  Recording recording;  ///< of its demonstrations

  std::mutex changing;               ///< held through a swap: one at a time
  bool removed = false;              ///< guarded by `changing`
  std::optional<Prepared> previous;  ///< guarded by `changing`: what rollback goes to

  std::mutex table;                      ///< guards what follows; held for moments only
  Installed now;                         ///< written only with `changing` held too
  SwapStage stage = SwapStage::swapped;  ///< of the swap under way
  std::deque<SwapReport> history;        ///< the last swaps, oldest first
  std::string trunk_said;                ///< why the trunk refuses its requests; see MemoryNews
};

/// Runs the machine of swap_stage.hpp over one slot. The caller holds `slot.changing`.
class Swap {
 public:
  /// What a swap needs of the host; borrowed.
  struct Means {
    const Preparer& preparer;
    IoLoop& io;
    Ground ground;  ///< what new generations are made on
    /// What the running trunk serves; nothing: it is not there.
    std::function<std::optional<trunk::TrunkInfo>()> trunk;
    std::function<bool()> give_up;  ///< the host ends: nothing is waited for any more
    Pact* pact = nullptr;           ///< with whom this robot changes together; null: it is alone
  };

  Swap(RobotSlot& slot, const Means& means, const SwapRequest& request);

  /// To its end; records it in the slot's history. [setup]
  SwapReport run();
  /// The first generation of a robot: no old one, so neither shadow nor probation. [setup]
  static SwapReport first(RobotSlot& slot, const Means& means, Prepared prepared);
  /// The robot's process has died, as `obituary` says: the same again, from the same files. What
  /// has died is not kept to go back to. [setup]
  static SwapReport again(RobotSlot& slot, const Means& means, const std::string& obituary);
  /// Back to the generation before, which has been kept as it was. [setup]
  static SwapReport back(RobotSlot& slot, const Means& means);

 private:
  bool step();
  bool prepare();
  bool shadow();
  bool commit();
  bool prove();
  void roll_back();
  void retire();
  bool judge(const Comparison& comparison);
  bool fail(Code code, std::string reason);
  bool agree(bool well, const char* otherwise);
  void act_again();
  void note_memory(const Generation& old, const Generation& next);
  void tell_memory();
  std::string trunk_id() const;
  bool serves(const Prepared& generation) const;
  Trial::State wait_for_trial(std::uint32_t ticks);
  void announce(const Installed& parts, std::uint64_t number, std::uint64_t body);

  RobotSlot& slot_;
  const Means& means_;
  config::RobotConfig wanted_;
  SwapPlan plan_;
  double shadow_bound_ = 0;
  bool keep_old_ = true;  // for a rollback
  bool fresh_memory_ = false;
  bool went_back_ = false;  // the robot has brought the old one back by itself
  SwapStage stage_ = SwapStage::prepare;
  SwapReport report_;
  std::optional<Prepared> next_;  // until it acts
  std::optional<Prepared> old_;   // once the new one acts
};

}  // namespace cambium::runtime
