// core/learn/progress_line.hpp: how far a training is, for people who watch.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "core/learn/trainer.hpp"

namespace cambium::learn {

/// "[######......]  50%  2500/5000  loss 0.0213  held out 0.0251  0:21 left"
/// left  negative: not known yet
std::string progress_line(const Progress& progress, std::chrono::seconds left);

/// On a terminal a bar that redraws itself ten times a second, elsewhere a line every tenth of the
/// way.
class ProgressLine {
 public:
  using Clock = std::chrono::steady_clock;

  /// Borrows `out` (stderr).
  ProgressLine(std::FILE* out, bool terminal);
  ~ProgressLine();

  void show(const Progress& progress, Clock::time_point now);

 private:
  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;
  std::uint32_t first_step_ = 0, last_tenth_ = 0;
  Clock::time_point begin_, last_;
  bool begun_ = false;
};

}  // namespace cambium::learn
