// bench/transfer/options.hpp: what `cambium bench transfer` is asked to measure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::transfer {

/// Goals of the attempts that are reported, and of those by which steps are chosen. Demonstrations
/// have the seeds 0, 1, 2, …: an attempt never is one that was shown, nor one that was chosen by.
inline constexpr std::uint64_t kReportedGoals = 1000, kChoosingGoals = 2000;

struct Options {
  std::vector<std::string> tasks = {"reach", "choose", "push"};
  std::vector<std::string> bodies;  ///< empty: bodies_of() each task
  std::vector<std::string> grounds = {"stock", "trunk", "random", "none", "scratch"};
  std::vector<std::uint32_t> demos = {10, 50, 200};
  std::vector<std::uint32_t> seeds = {0, 1, 2};
  std::uint32_t steps = 1500;                                 ///< of "same steps"
  std::vector<std::uint32_t> candidates = {400, 1500, 3000};  ///< of "best steps"; empty: without
  std::uint32_t attempts = 100;
  std::uint32_t replan = 1;  ///< ticks that are played of each chunk
  std::filesystem::path stock;
  std::filesystem::path results = "transfer-results";
  std::uint32_t jobs = 0;  ///< rows at once, one thread each; 0: as many as the machine has cores

  bool scaling = false, ablation = false;  ///< these instead of the table
  std::vector<std::uint32_t> pretrain_bodies = {1, 4, 16, 64};
  std::vector<std::uint32_t> widths = {16, 32, 64};  ///< of the trunk, at usual_bodies
  std::vector<std::uint32_t> blocks = {2, 4};        ///< the same
  /// The stock that the others differ from in one number, or in two that are its trunk's. The trunk
  /// is of the shipped stock's size; with fewer bodies these would hide what a larger one gives.
  std::uint32_t usual_bodies = 64, usual_width = 32, usual_blocks = 4;
  std::uint32_t pretrain_steps = 3000;
  std::uint32_t pretrain_episodes = 6400;  ///< of each task, over all bodies together
};

/// Held-out bodies: "so101", "ur5e"; a task that moves something is shown on "panda7" too.
std::vector<std::string> bodies_of(const Options& options, const std::string& task);

/// A few minutes: one seed, 10 and 50 demonstrations, reach and choose, 25 attempts, 400 steps.
void make_quick(Options& options);

/// bad_argument names option, value and the nearest name. Bodies are for tasks::make_body() to
/// judge.
Result<void> check(const Options& options);

}  // namespace cambium::transfer
