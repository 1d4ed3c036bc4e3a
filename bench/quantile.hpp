// bench/quantile.hpp: quantiles of what was measured.
#pragma once

#include <algorithm>
#include <vector>

namespace cambium::bench {

/// Sorts `values`; 0 if there are none.
template <class T>
double quantile(std::vector<T>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return static_cast<double>(values[std::min(
      values.size() - 1, static_cast<std::size_t>(q * static_cast<double>(values.size())))]);
}

}  // namespace cambium::bench
