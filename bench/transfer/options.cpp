#include "bench/transfer/options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/nearest.hpp"

namespace cambium::transfer {
namespace {

const std::vector<std::string> kTasks = {"reach", "choose", "push"};
const std::vector<std::string> kGrounds = {"stock", "trunk", "random", "none", "scratch"};

template <class Values>
Result<void> check_list(const char* option, const Values& values, bool may_be_empty = false) {
  if (values.empty() && !may_be_empty)
    return Error{Code::bad_argument, fmt::format("{}: names nothing", option)};
  for (auto value = values.begin(); value != values.end(); ++value)
    if (std::find(values.begin(), value, *value) != value)
      return Error{Code::bad_argument, fmt::format("{}: {} is named twice", option, *value)};
  return {};
}

Result<void> check_names(const char* option, const std::vector<std::string>& names,
                         const std::vector<std::string>& known) {
  for (const std::string& name : names)
    if (std::ranges::find(known, name) == known.end())
      return Error{Code::bad_argument, fmt::format("{}: '{}' is not known{}", option, name,
                                                   base::did_you_mean(name, known))};
  return check_list(option, names);
}

Result<void> check_counts(const char* option, const std::vector<std::uint32_t>& counts,
                          std::uint32_t least, bool may_be_empty = false) {
  for (const std::uint32_t count : counts)
    if (count < least)
      return Error{Code::bad_argument,
                   fmt::format("{}: {}, expected at least {}", option, count, least)};
  return check_list(option, counts, may_be_empty);
}

}  // namespace

std::vector<std::string> bodies_of(const Options& options, const std::string& task) {
  if (!options.bodies.empty()) return options.bodies;
  if (task == "push") return {"so101", "ur5e", "panda7"};
  return {"so101", "ur5e"};
}

void make_quick(Options& options) {
  options.tasks = {"reach", "choose"};
  options.demos = {10, 50};
  options.seeds = {0};
  options.attempts = 25;
  options.steps = 400;
  options.candidates.clear();
  options.pretrain_bodies = {1, 16};
  options.usual_bodies = 16;
  options.widths = {32};
  options.blocks = {4};
  options.pretrain_steps = 1000;
  options.pretrain_episodes = 160;
}

Result<void> check(const Options& options) {
  if (auto ok = check_names("--tasks", options.tasks, kTasks); !ok) return ok;
  if (auto ok = check_names("--grounds", options.grounds, kGrounds); !ok) return ok;
  if (auto ok = check_list("--bodies", options.bodies, true); !ok) return ok;
  // With one episode nothing is left to learn from once one is held out.
  if (auto ok = check_counts("--demos", options.demos, options.scaling ? 0 : 2); !ok) return ok;
  if (auto ok = check_counts("--seeds", options.seeds, 0); !ok) return ok;
  if (auto ok = check_counts("--candidates", options.candidates, 1, true); !ok) return ok;
  for (const std::uint32_t seed : options.seeds)
    if (seed >= kReportedGoals)
      return Error{Code::bad_argument,
                   fmt::format("--seeds: {}, expected less than {}: those are of attempts", seed,
                               kReportedGoals)};
  if (options.steps == 0) return Error{Code::bad_argument, "--steps: 0, expected at least 1"};
  if (options.attempts == 0) return Error{Code::bad_argument, "--attempts: 0, expected at least 1"};
  if (options.replan == 0) return Error{Code::bad_argument, "--replan: 0, expected at least 1"};
  if (options.usual_bodies == 0)
    return Error{Code::bad_argument, "--usual-bodies: 0, expected at least 1"};
  if (auto ok = check_counts("--pretrain-bodies", options.pretrain_bodies, 1); !ok) return ok;
  if (auto ok = check_counts("--widths", options.widths, 4); !ok) return ok;
  if (auto ok = check_counts("--blocks", options.blocks, 1); !ok) return ok;
  return {};
}

}  // namespace cambium::transfer
