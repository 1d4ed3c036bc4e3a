// bench/transfer/measure.hpp: from what was asked for to what was measured.
#pragma once

#include <functional>
#include <string>

#include "bench/transfer/options.hpp"
#include "bench/transfer/report.hpp"
#include "bench/transfer/results.hpp"
#include "bench/transfer/schedule.hpp"

namespace cambium::transfer {

struct Watcher {
  std::function<bool()> stopped;
  std::function<void(const Standing&)> told;
  /// Of a stock that is pretrained: which one, what is done for it, and how far that is, 0 to 1.
  std::function<void(const std::string& stock, const char* doing, double part)> growing;
};

/// Makes the rows that `results` lack, unless `only_look`, and puts together those that are there.
/// [setup]
Result<Report> measure(const Options& options, Results& results, bool only_look,
                       const Watcher& watcher);

}  // namespace cambium::transfer
