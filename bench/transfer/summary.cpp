#include "bench/transfer/summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace cambium::transfer {

std::pair<double, double> wilson(std::uint64_t succeeded, std::uint64_t attempts) {
  if (attempts == 0) return {0, 1};
  constexpr double z = 1.959963984540054;  // 97.5 % of a normal distribution lie below
  const auto n = static_cast<double>(attempts);
  const double p = static_cast<double>(succeeded) / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::vector<Cell> summarise(std::span<const Row> rows) {
  std::vector<Cell> cells;
  std::vector<std::vector<const Row*>> members;
  std::map<RowKey, std::size_t> place;
  for (const Row& row : rows) {
    RowKey key = row.key;
    key.seed = 0;
    const auto [at, fresh] = place.emplace(key, cells.size());
    if (fresh) {
      cells.emplace_back().key = key;
      members.emplace_back();
    }
    members[at->second].push_back(&row);
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    Cell& cell = cells[i];
    const auto n = static_cast<double>(members[i].size());
    double squares = 0, losses = 0;
    std::uint32_t with_loss = 0;
    for (const Row* row : members[i]) {
      cell.mean += row->success() / n;
      cell.seconds += row->seconds / n;
      cell.succeeded += row->succeeded;
      cell.attempts += row->key.attempts;
      cell.trained_params = row->trained_params;
      if (!std::isfinite(row->val_loss)) continue;
      losses += row->val_loss;
      ++with_loss;
    }
    for (const Row* row : members[i]) squares += std::pow(row->success() - cell.mean, 2);
    cell.seeds = static_cast<std::uint32_t>(members[i].size());
    cell.spread = cell.seeds > 1 ? std::sqrt(squares / (n - 1)) : 0;
    cell.interval = wilson(cell.succeeded, cell.attempts);
    cell.val_loss = with_loss > 0 ? losses / with_loss : std::numeric_limits<double>::quiet_NaN();
  }
  return cells;
}

}  // namespace cambium::transfer
