#include "bench/memory_robots.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>

namespace cambium::bench {
namespace {
constexpr std::size_t kNoise = 1009;  // rows; prime, so that requests do not repeat soon
}

MemoryRobots::MemoryRobots(trunk::TrunkModel& model, std::uint32_t robots, std::uint32_t max_rows)
    : model_(model),
      stride_((model.info().session_bytes + 63) / 64 * 64),
      max_rows_(max_rows),
      memory_(std::max<std::size_t>(64, stride_ * robots)),
      noise_((kNoise + max_rows) * model.info().width),
      rows_(std::size_t{max_rows} * model.info().width) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& value : noise_) value = normal(random);
  segments_.reserve(robots);
  for (std::uint32_t i = 0; i < robots; ++i) begin(i);
}

std::byte* MemoryRobots::memory(std::uint32_t robot) {
  return stride_ == 0 ? nullptr : memory_.data() + stride_ * robot;
}

void MemoryRobots::begin(std::uint32_t robot) {
  if (stride_ > 0) model_.begin(memory(robot));
}

void MemoryRobots::copy(std::uint32_t from, std::uint32_t to) {
  if (stride_ > 0) std::memcpy(memory(to), memory(from), stride_);
}

double MemoryRobots::step(std::uint32_t first, std::uint32_t count, std::uint32_t tokens) {
  using Clock = std::chrono::steady_clock;
  if (!status_.ok()) return 0;
  const std::size_t width = model_.info().width;
  segments_.clear();
  for (std::uint32_t i = 0; i < count; ++i)
    segments_.push_back({.first_row = i * tokens, .rows = tokens, .memory = memory(first + i)});
  last_rows_ = std::size_t{count} * tokens;
  at_ = (at_ + last_rows_) % kNoise;
  std::copy_n(noise_.begin() + static_cast<std::ptrdiff_t>(at_ * width), last_rows_ * width,
              rows_.begin());
  const auto began = Clock::now();
  status_ = model_.forward(segments_, rows_.data());
  return std::chrono::duration<double, std::nano>(Clock::now() - began).count();
}

double MemoryRobots::fill(std::uint32_t robot, std::uint64_t tokens, std::uint32_t request) {
  double ns = 0;
  for (std::uint64_t done = 0; done < tokens;) {
    const auto now = static_cast<std::uint32_t>(std::min<std::uint64_t>(request, tokens - done));
    ns += step(robot, 1, now);
    done += now;
  }
  return ns;
}

Result<void> MemoryRobots::finish() const {
  const std::string who = "trunk '" + model_.info().architecture + "': a pass ";
  if (!status_.ok()) return Error{status_.code(), who + "says '" + to_string(status_.code()) + "'"};
  const auto width = static_cast<std::ptrdiff_t>(last_rows_ * model_.info().width);
  if (!std::all_of(rows_.begin(), rows_.begin() + width, [](float x) { return std::isfinite(x); }))
    return Error{Code::bad_data, who + "gives numbers that are not finite"};
  return {};
}

}  // namespace cambium::bench
