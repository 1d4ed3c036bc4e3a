// core/runtime/trunk_swap.hpp: another trunk for all robots of a host at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/runtime/swap.hpp"

namespace cambium::runtime {

struct TrunkSwapRequest {
  std::filesystem::path stock;
  /// By robot; the others' bundle files are read again, and have to name the new trunk by now.
  std::map<std::string, std::filesystem::path> bundles;
  std::optional<std::uint32_t> probation;  ///< [ticks] else as each robot's [robot.swap] says
  base::Nanoseconds keep_old = 0;          ///< how long the old trunk stays, for a rollback
  bool dry_run = false;
  bool wait = true;  ///< for swaps of single robots that are under way; else `busy`
};

struct TrunkSwapReport {
  Code code = Code::ok;
  std::string reason;       ///< one sentence for each robot that does not fit; empty if code is ok
  std::string from, trunk;  ///< ids before and after, 64 hex digits; empty: there was no stock
  std::string wanted;       ///< id of the stock that was asked for; empty: it was not loaded
  std::string chosen;       ///< what computes it, as the trunk says
  bool rehearsed = false, taken_back = false;
  double load_ms = 0, total_ms = 0;
  std::vector<SwapReport> robots;  ///< those with a bundle

  bool ok() const noexcept { return code == Code::ok; }
};

/// Load, prepare all, commit all, probation of all: then all stay or none. Whatever fails before
/// the commit has moved nothing, what fails after it brings every robot back. The caller holds each
/// slot's `changing`.
class TrunkSwap {
 public:
  struct Means {
    transport::Context& context;
    std::string endpoint;  ///< of the trunk process
    /// Of one robot's swap; `ground` is the present one.
    Swap::Means swap;
    /// While `until`, the trunk process is told that this stock is needed. 0: no longer.
    std::function<void(const base::Digest& id, const std::filesystem::path& stock,
                       base::Nanoseconds until)>
        keep;
    base::FileCheck check;  ///< of the stock
  };

  TrunkSwap(std::vector<std::shared_ptr<RobotSlot>> slots, Means means, TrunkSwapRequest request);

  /// `stock` is left as it was, or becomes the new one. [setup]
  TrunkSwapReport run(std::shared_ptr<const nn::Stock>& stock);

 private:
  Result<void> check_names() const;
  Result<std::shared_ptr<const nn::Stock>> load();
  Result<void> change_all(const std::shared_ptr<const nn::Stock>& next);

  std::vector<std::shared_ptr<RobotSlot>> slots_;
  Means means_;
  TrunkSwapRequest request_;
  TrunkSwapReport report_;
};

}  // namespace cambium::runtime
