// bench/transfer/plan.hpp: which rows a table needs, and which of them a training makes at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/transfer/options.hpp"
#include "bench/transfer/results.hpp"
#include "bench/transfer/row.hpp"

namespace cambium::transfer {

/// What counts of the stock for a ground, and the recipe: the same for all rows of a table.
struct Identity {
  std::function<std::string(const std::string& ground)> stock;
  std::string recipe;
};

/// The table with `steps` everywhere. Without demonstrations there is nothing to train: no steps,
/// and the first seed only, since all would be the same.
std::vector<RowKey> same_steps(const Options& options, const Identity& identity);

/// Every candidate with the first seed, judged by other goals than those that are reported.
std::vector<RowKey> choosing(const Options& options, const Identity& identity);

/// The table in which each (task, body, ground, demonstrations) has the candidate that it likes
/// best: most successes in its choosing() row, of equal ones the fewest steps. Left out where a
/// row of choosing() is missing.
std::vector<RowKey> best_steps(const Options& options, const Identity& identity,
                               const Results& results);

/// One training, and each seed of goals by which it is still to be judged.
struct Work {
  RowKey training;  ///< goals: 0
  std::vector<std::uint64_t> goals;

  /// About how long it takes, in steps of a training.
  double weight() const noexcept;
};

/// What of `keys` the results lack, in their order; no training twice.
std::vector<Work> missing(const std::vector<RowKey>& keys, const Results& results);

}  // namespace cambium::transfer
