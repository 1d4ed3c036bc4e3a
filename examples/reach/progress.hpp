// examples/reach/progress.hpp: how far long work has come, on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace cambium::reach {

/// A bar with the time left, redrawn in place on stderr; silent where stderr is no terminal.
class Progress {
 public:
  Progress(std::string what, std::uint64_t total);
  ~Progress();  // ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done);

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  std::uint64_t total_;
  bool shown_, drawn_ = false;
  Clock::time_point start_, last_;
};

}  // namespace cambium::reach
