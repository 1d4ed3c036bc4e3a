// Fit for the control loop: no allocation, in time, and unharmed by what sensors may send.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/clock.hpp"
#include "core/check/check.hpp"
#include "core/check/malloc_guard.hpp"

namespace cambium::check {
namespace {

void none(const MallocGuard& guard, const PartSpec& spec, std::string_view call) {
  if (const auto count = guard.allocations(); count > 0)
    throw Ended{
        fail(fmt::format("{}: {} allocates ({} times in its first calls); size every "
                         "buffer in activate()",
                         spec.title, call, count))};
}

Finding allocates_nothing(Context& c) {
  if (!MallocGuard::works()) return skip("a sanitizer has replaced malloc, nothing is counted");
  for (const auto& spec : c.parts()) {
    c.doing(std::string(spec.call()) + " of " + spec.title);
    Part part(spec);
    part.activate();
    const auto sample = spec.sample(c.random());
    std::vector<float> out(spec.output_size());
    std::vector<std::byte> bytes(kMaxStateBytes);
    std::uint32_t size = 0;
    Message why;
    {
      const MallocGuard guard;
      for (int i = 0; i < 16; ++i) (void)part.run(sample, out);
      none(guard, spec, spec.call());
    }
    if (part.state() == nullptr) continue;
    {
      const MallocGuard guard;
      (void)part.state()->save(bytes, size);
      none(guard, spec, "save()");
    }
    const MallocGuard guard;
    (void)part.state()->load(std::span(bytes).first(size), why);
    none(guard, spec, "load()");
  }
  return pass();
}

struct Hostile {
  const char* what;
  float value;
};
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr Hostile kHostile[] = {
    {"NaN", std::numeric_limits<float>::quiet_NaN()},
    {"infinity", kInf},
    {"-infinity", -kInf},
    {"1e30", 1e30F},
    {"-1e30", -1e30F},
    {"the largest float", std::numeric_limits<float>::max()},
    {"a denormal", std::numeric_limits<float>::denorm_min()},
};

bool finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
}

/// An ordinary input after a hostile one: finite, and as before where nothing is remembered.
void recovers(Part& part, const Sample& ordinary, std::span<const float> before, const char* from) {
  const auto after = part.run(ordinary);
  if (!finite(after))
    throw Ended{
        fail(fmt::format("{}: after an input of {} an ordinary one gives numbers that are "
                         "not finite: the damage stays",
                         part.spec().title, from))};
  if (part.state() == nullptr && first_difference(before, after) >= 0)
    throw Ended{warn(fmt::format("{}: after an input of {} an ordinary one gives another output",
                                 part.spec().title, from))};
}

Finding survives_hostile_input(Context& c) {
  Remarks remarks;
  for (const auto& spec : c.parts()) {
    Part part(spec);
    part.activate();
    const auto ordinary = spec.sample(c.random());
    const auto before = part.run(ordinary);
    std::vector<float> out(spec.output_size());
    for (const auto& [what, value] : kHostile) {
      c.doing(fmt::format("{} of {}, input all {}", spec.call(), spec.title, what));
      (void)part.run(spec.filled(value), out);
      recovers(part, ordinary, before, what);
      Sample one = ordinary;
      one.values.back() = value;
      c.doing(fmt::format("{} of {}, one number {}", spec.call(), spec.title, what));
      (void)part.run(one, out);
      recovers(part, ordinary, before, what);
    }
    for (const float value : {1e3F, -1e3F, 0.0F}) {
      c.doing(fmt::format("{} of {}, input all {}", spec.call(), spec.title, value));
      if (part.run(spec.filled(value), out).ok() && !finite(out))
        remarks.add(fmt::format("{}: an input of {} says ok and gives numbers that are not finite",
                                spec.title, value));
    }
  }
  return std::move(remarks).finding();
}

struct Times {
  double median = 0, max = 0;  ///< [us]
};

Times time_calls(Context& c, const PartSpec& spec) {
  constexpr std::size_t kCalls = 1000;
  c.doing(fmt::format("{} of {}, {} times", spec.call(), spec.title, kCalls));
  Part part(spec);
  part.activate();
  const auto sample = spec.sample(c.random());
  std::vector<float> out(spec.output_size());
  for (int i = 0; i < 8; ++i) (void)part.run(sample, out);
  std::vector<double> us;
  us.reserve(kCalls);
  double sum = 0;
  while (us.size() < kCalls && sum < 1e6) {  // a second says enough about a slow one
    const auto start = base::monotonic_ns();
    (void)part.run(sample, out);
    us.push_back(static_cast<double>(base::monotonic_ns() - start) * 1e-3);
    sum += us.back();
  }
  std::ranges::sort(us);
  return {us[us.size() / 2], us.back()};
}

Finding keeps_to_the_period(Context& c) {
  const double period_us = 1e6 / c.bundle().spec().control_hz;
  double sum_of_max = 0;
  std::string text;
  for (const auto& spec : c.parts()) {
    // A busy machine interrupts now and then; what the code itself does comes back each time.
    auto times = time_calls(c, spec);
    const bool is_slow = times.median > period_us / 10;
    for (int again = 0; again < 3 && !is_slow && times.max > period_us / 10; ++again) {
      const auto other = time_calls(c, spec);
      times = {std::min(times.median, other.median), std::min(times.max, other.max)};
    }
    sum_of_max += times.max;
    text += fmt::format("{}{} {:.1f} us (at most {:.1f})", text.empty() ? "" : ", ", spec.title,
                        times.median, times.max);
  }
  if (sum_of_max > period_us)
    return warn(fmt::format("{}: the slowest calls take more than the control period of {:.0f} us",
                            text, period_us));
  return pass(text);
}

constexpr Check kChecks[] = {
    {"allocates nothing while it runs", allocates_nothing, {.bundle = true}, kStartsUp},
    {"NaN, infinity and extremes do no lasting harm",
     survives_hostile_input,
     {.bundle = true},
     kStartsUp},
    {"keeps to the control period",
     keeps_to_the_period,
     {.bundle = true},
     kStartsUp,
     /*alone=*/true},
};

}  // namespace

std::span<const Check> loop_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
