// core/runtime/policy_child.hpp: the process that a robot's stems and head run in: it loads them,
// says what they are, and does the host's jobs until the host is gone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/base/trust.hpp"
#include "core/nn/stock.hpp"

namespace cambium::runtime {

/// What a policy is loaded from. Paths are absolute; empty ones as in the [[robot]] of the config.
struct PolicySource {
  std::filesystem::path plugin, stem_plugin, head_plugin;
  std::string embodiment, head;
  std::filesystem::path bundle, stock;
  /// Of the stock that the host has open: then its shared stems alone are read; empty: all of it.
  nn::StockIdentity stock_identity;
  std::filesystem::path run_dir;   ///< for the plugin's private copy
  std::uint32_t memory_mb = 1024;  ///< that the plugin may take, beyond the program itself
  base::Trust trust = {};          ///< the host's
};

/// The descriptors that the host hands to the child, beside the three of every program.
namespace child_descriptor {
inline constexpr int kMemory = 3;    ///< memfd of the channel
inline constexpr int kJob = 4;       ///< eventfd: a job lies ready
inline constexpr int kWake = 5;      ///< eventfd: wakes who waits for the answer
inline constexpr int kReport = 6;    ///< pipe: one line of report, later perhaps the last words
inline constexpr int kLifeLine = 7;  ///< pipe: closes when the host lets go or dies
}  // namespace child_descriptor

/// Main function of the process; returns only if it was not started by a host or could not load.
/// [setup]
int run_policy_child(const PolicySource& source);

}  // namespace cambium::runtime
