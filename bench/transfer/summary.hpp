// bench/transfer/summary.hpp: the rows of a table put together over seeds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/transfer/row.hpp"

namespace cambium::transfer {

/// One cell of the table: everything but the seed is the same.
struct Cell {
  RowKey key;  ///< seed: 0
  std::uint32_t seeds = 0;
  double mean = 0;    ///< of success over seeds, 0 to 1
  double spread = 0;  ///< standard deviation over seeds (n - 1); 0 for a single one
  std::uint32_t succeeded = 0, attempts = 0;  ///< of all seeds together
  std::pair<double, double> interval;         ///< of the pooled rate, Wilson, 95 %
  double val_loss = 0;                        ///< mean over seeds that have one, else NaN
  double seconds = 0;                         ///< mean over seeds
  std::uint64_t trained_params = 0;
};

/// In the order in which their first rows come.
std::vector<Cell> summarise(std::span<const Row> rows);

/// Wilson's score interval of a rate at 95 %: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
std::pair<double, double> wilson(std::uint64_t succeeded, std::uint64_t attempts);

}  // namespace cambium::transfer
