#include "examples/reach/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace cambium::reach {

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)),
      total_(std::max<std::uint64_t>(total, 1)),
      shown_(isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_) std::fputc('\n', stderr);
}

void Progress::update(std::uint64_t done) {
  const auto now = Clock::now();
  if (!shown_ || (now - last_ < std::chrono::milliseconds(100) && done < total_)) return;
  last_ = now;
  drawn_ = true;
  const double part = static_cast<double>(done) / static_cast<double>(total_);
  const double spent = std::chrono::duration<double>(now - start_).count();
  const int left = done ? static_cast<int>(spent / part - spent + 0.5) : 0;
  constexpr int kWidth = 30;
  const std::string bar(static_cast<std::size_t>(kWidth * part), '#');
  std::fprintf(stderr, "\r%s [%-*s] %3.0f %%  %d:%02d left ", what_.c_str(), kWidth, bar.c_str(),
               100 * part, left / 60, left % 60);
  std::fflush(stderr);
}

}  // namespace cambium::reach
