// bench/transfer/schedule.hpp: trainings side by side, each on one thread, their rows kept as they
// come.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/transfer/plan.hpp"

namespace cambium::transfer {

/// A training and its judgements: a row for each of work.goals. Called by several threads; what it
/// returns depends on `work` alone. An interrupted one returns no rows.
using Make = std::function<Result<std::vector<Row>>(const Work& work)>;

/// How far a run is.
struct Standing {
  std::size_t done = 0, all = 0;  ///< rows
  double left = -1;               ///< [s] estimated; negative: not known yet
  std::string last;               ///< what was finished last: a sentence
};

/// Makes all works, `jobs` (0: one for each core) at once, begun in their order. The first error
/// ends it, as does stopped(); either way what was finished is in `results`, and nothing else is.
/// told() is called by one thread at a time. True if nothing is left. [setup]
Result<bool> run_all(const std::vector<Work>& works, std::uint32_t jobs, const Make& make,
                     Results& results, const std::function<bool()>& stopped,
                     const std::function<void(const Standing&)>& told);

}  // namespace cambium::transfer
