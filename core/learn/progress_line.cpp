#include "core/learn/progress_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cambium::learn {

std::string progress_line(const Progress& progress, std::chrono::seconds left) {
  if (progress.files > 0)
    return fmt::format("read {} of {} demonstrations", progress.read, progress.files);
  constexpr std::size_t kCells = 24;
  const double done = static_cast<double>(progress.step) / std::max(1U, progress.steps);
  const auto cells = static_cast<std::size_t>(done * kCells);
  std::string line = fmt::format("[{}{}] {:3.0f}%  {}/{}  loss {:.4f}", std::string(cells, '#'),
                                 std::string(kCells - cells, '.'), std::floor(100 * done),
                                 progress.step, progress.steps, progress.training);
  if (std::isfinite(progress.validation))
    line += fmt::format("  held out {:.4f}", progress.validation);
  if (left.count() >= 0)
    line += fmt::format("  {}:{:02} left", left.count() / 60, left.count() % 60);
  return line;
}

ProgressLine::ProgressLine(std::FILE* out, bool terminal) : out_(out), terminal_(terminal) {}

ProgressLine::~ProgressLine() {
  if (drawn_ && terminal_) std::fputc('\n', out_);
}

void ProgressLine::show(const Progress& progress, Clock::time_point now) {
  if (progress.files > 0 && !terminal_) return;
  if (progress.files == 0 && !begun_) {
    begun_ = true;
    begin_ = now;
    first_step_ = progress.step;
    last_tenth_ = (progress.step - 1) * 10 / std::max(1U, progress.steps);
  }
  const std::uint32_t tenth = progress.step * 10 / std::max(1U, progress.steps);
  const bool last = progress.step == progress.steps;
  if (terminal_ ? !last && drawn_ && now - last_ < std::chrono::milliseconds(100)
                : tenth == last_tenth_)
    return;
  last_ = now;
  last_tenth_ = tenth;
  drawn_ = true;
  std::chrono::seconds left(-1);
  if (progress.step > first_step_) {
    const double per_step =
        std::chrono::duration<double>(now - begin_).count() / (progress.step - first_step_);
    left = std::chrono::seconds(std::llround(per_step * (progress.steps - progress.step)));
  }
  // Blanks wipe what a longer line left behind.
  const std::string line = progress_line(progress, left);
  if (terminal_)
    std::fputs(fmt::format("\r{:<90}", line).c_str(), out_);
  else
    std::fputs((line + "\n").c_str(), out_);
  std::fflush(out_);
}

}  // namespace cambium::learn
