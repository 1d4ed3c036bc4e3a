#include "bench/transfer/plan.hpp"

#include <algorithm>
#include <map>

namespace cambium::transfer {
namespace {

/// Calls visit(task, body, demos, ground) in the order in which people wait for them: whole panels
/// of the picture one after the other.
template <class Visit>
void each_cell(const Options& options, const Identity& identity, const Visit& visit) {
  for (const auto& task : options.tasks)
    for (const auto& body : bodies_of(options, task))
      for (const std::uint32_t demos : options.demos)
        for (const auto& ground : options.grounds) {
          RowKey key;
          key.task = task;
          key.body = body;
          key.mode = ground;
          key.demos = demos;
          key.steps = options.steps;
          key.attempts = options.attempts;
          key.replan = options.replan;
          key.goals = kReportedGoals;
          key.stock = identity.stock(ground);
          key.recipe = identity.recipe;
          visit(key);
        }
}

RowKey as_choosing(RowKey key, std::uint32_t seed, std::uint32_t steps) {
  key.seed = seed;
  key.steps = steps;
  key.goals = kChoosingGoals;
  return key;
}

}  // namespace

std::vector<RowKey> same_steps(const Options& options, const Identity& identity) {
  std::vector<RowKey> keys;
  // Seed after seed: a run that was stopped early has every cell once rather than some thrice.
  for (const std::uint32_t seed : options.seeds)
    each_cell(options, identity, [&](RowKey key) {
      key.seed = seed;
      if (key.demos == 0) key.steps = 0;
      if (key.demos > 0 || seed == options.seeds.front()) keys.push_back(std::move(key));
    });
  return keys;
}

std::vector<RowKey> choosing(const Options& options, const Identity& identity) {
  std::vector<RowKey> keys;
  each_cell(options, identity, [&](const RowKey& key) {
    for (const std::uint32_t steps : options.candidates)
      keys.push_back(as_choosing(key, options.seeds.front(), steps));
  });
  return keys;
}

std::vector<RowKey> best_steps(const Options& options, const Identity& identity,
                               const Results& results) {
  std::vector<RowKey> keys;
  each_cell(options, identity, [&](RowKey key) {
    const Row* best = nullptr;
    for (const std::uint32_t steps : options.candidates) {
      const Row* row = results.find(as_choosing(key, options.seeds.front(), steps));
      if (!row) return;
      if (!best || row->succeeded > best->succeeded ||
          (row->succeeded == best->succeeded && row->key.steps < best->key.steps))
        best = row;
    }
    if (!best) return;
    key.steps = best->key.steps;
    for (const std::uint32_t seed : options.seeds) {
      key.seed = seed;
      keys.push_back(key);
    }
  });
  return keys;
}

double Work::weight() const noexcept {
  // An attempt took about as long as twenty steps of 64 on one thread.
  constexpr double kStepsPerAttempt = 20;
  return training.steps + kStepsPerAttempt * training.attempts * static_cast<double>(goals.size());
}

std::vector<Work> missing(const std::vector<RowKey>& keys, const Results& results) {
  std::vector<Work> works;
  std::map<RowKey, std::size_t> place;  // of a training
  for (const RowKey& key : keys) {
    if (results.find(key)) continue;
    RowKey training = key;
    training.goals = 0;
    const auto [at, fresh] = place.emplace(training, works.size());
    if (fresh) works.push_back({training, {}});
    auto& goals = works[at->second].goals;
    if (std::find(goals.begin(), goals.end(), key.goals) == goals.end()) goals.push_back(key.goals);
  }
  return works;
}

}  // namespace cambium::transfer
