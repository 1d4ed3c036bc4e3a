// bench/kernels/cases.hpp: what of nn::Kernels is measured, and on what. A new kernel is one
// function here and one line in cases().
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/kernels/reference.hpp"

namespace cambium::bench {

/// One kernel of one set at one size.
struct Job {
  std::size_t elements = 0;  ///< numbers that come out
  std::function<void()> run;
  /// What run() left, for the comparison.
  std::function<std::vector<float>()> result;
  reference::Numbers expected;
};

struct Case {
  std::string name;  ///< "attention/rows:32/dim:64"
  std::function<Job(const nn::Kernels&)> make;
};

std::vector<Case> cases();

}  // namespace cambium::bench
