// What encode() and decode() write: all of it, nothing else, and the same for the same input.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/check/check.hpp"

namespace cambium::check {
namespace {

constexpr std::size_t kGuard = 64;  // numbers before and behind the output
constexpr float kCanary = 8765.4321F;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Runs into a buffer that was full of `fill`, between canaries.
std::vector<float> run_guarded(Part& part, const Sample& sample, float fill) {
  const auto& spec = part.spec();
  const std::size_t size = spec.output_size();
  std::vector<float> room(size + 2 * kGuard, kCanary);
  const std::span<float> out(room.data() + kGuard, size);
  std::ranges::fill(out, fill);
  if (const Status status = part.run(sample, out); !status.ok())
    throw Ended{fail(fmt::format("{}: {} of an ordinary input says '{}'", spec.title, spec.call(),
                                 cambium::to_string(status.code())))};
  for (std::size_t i = 0; i < kGuard; ++i) {
    if (room[i] != kCanary)
      throw Ended{fail(fmt::format("{}: {} wrote {} numbers before its output", spec.title,
                                   spec.call(), kGuard - i))};
    if (room[kGuard + size + i] != kCanary)
      throw Ended{fail(fmt::format("{}: {} wrote behind its output of {} numbers", spec.title,
                                   spec.call(), size))};
  }
  return {out.begin(), out.end()};
}

Finding writes_all_and_nothing_else(Context& c) {
  for (const auto& spec : c.parts()) {
    c.doing(std::string(spec.call()) + " of " + spec.title);
    Part one(spec), other(spec);
    one.activate();
    other.activate();
    for (int call = 1; call <= 8; ++call) {
      const auto sample = spec.sample(c.random());
      const auto over_nan = run_guarded(one, sample, kNan);
      const auto over_number = run_guarded(other, sample, 4321.1234F);
      for (std::size_t i = 0; i < over_nan.size(); ++i) {
        if (!std::isnan(over_nan[i]) && std::isfinite(over_nan[i])) continue;
        if (over_number[i] == 4321.1234F)
          return fail(fmt::format("{}: call {} leaves number {} of {} as it was: the last robot's",
                                  spec.title, call, i, over_nan.size()));
        return fail(fmt::format("{}: call {} gives {} at number {} for an ordinary input",
                                spec.title, call, std::isnan(over_nan[i]) ? "NaN" : "infinity", i));
      }
    }
  }
  return pass();
}

Finding takes_every_window(Context& c) {
  for (const auto& spec : c.parts()) {
    Part part(spec);
    part.activate();
    for (std::uint32_t steps = 1; steps <= spec.longest(); ++steps) {
      c.doing(fmt::format("{} of {}, {} observations", spec.call(), spec.title, steps));
      run_guarded(part, spec.sample(c.random(), steps), kNan);
    }
  }
  return pass();
}

Finding leaves_its_input_alone(Context& c) {
  for (const auto& spec : c.parts()) {
    c.doing(std::string(spec.call()) + " of " + spec.title);
    Part part(spec);
    part.activate();
    for (int i = 0; i < 4; ++i) {
      const auto sample = spec.sample(c.random());
      const auto before = sample.values;
      part.run(sample);
      if (const auto at = first_difference(before, sample.values); at >= 0)
        return fail(
            fmt::format("{}: {} changed number {} of its input", spec.title, spec.call(), at));
    }
  }
  return pass();
}

std::vector<std::vector<float>> play(Part& part, std::span<const Sample> samples) {
  std::vector<std::vector<float>> outputs;
  for (const auto& sample : samples) outputs.push_back(part.run(sample));
  return outputs;
}

void same(const PartSpec& spec, const std::vector<std::vector<float>>& a,
          const std::vector<std::vector<float>>& b, std::string_view when) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (const auto at = first_difference(a[i], b[i]); at >= 0) {
      const auto index = static_cast<std::size_t>(at);
      throw Ended{fail(fmt::format("{}: call {} gives {} at number {}, {} it gives {}", spec.title,
                                   i + 1, a[i][index], at, when, b[i][index]))};
    }
}

Finding same_input_same_output(Context& c) {
  for (const auto& spec : c.parts()) {
    c.doing(std::string(spec.call()) + " of " + spec.title);
    std::vector<Sample> samples;
    for (int i = 0; i < 8; ++i) samples.push_back(spec.sample(c.random()));
    Part one(spec), other(spec);
    one.activate();
    other.activate();
    const auto first = play(one, samples);
    same(spec, first, play(other, samples), "in another instance");
    one.deactivate();
    one.activate();
    same(spec, first, play(one, samples), "after deactivate() and activate()");
  }
  return pass();
}

/// As a State saves it; empty if it remembers nothing.
std::vector<std::byte> saved(Part& part) {
  if (part.state() == nullptr) return {};
  std::vector<std::byte> bytes(kMaxStateBytes);
  std::uint32_t size = 0;
  const Status status = part.state()->save(bytes, size);
  if (!status.ok() || size > bytes.size())
    throw Ended{fail(part.spec().title + ": save() into the largest buffer is refused")};
  bytes.resize(size);
  return bytes;
}

Finding nothing_between_matters(Context& c) {
  Remarks remarks;
  for (const auto& spec : c.parts()) {
    c.doing(std::string(spec.call()) + " of " + spec.title);
    const auto a = spec.sample(c.random()), b = spec.sample(c.random());
    Part one(spec), other(spec);
    one.activate();
    other.activate();
    const auto before = saved(one);
    const auto first = one.run(a);
    other.run(b);
    if (one.state() == nullptr) {
      one.run(b);
    } else if (Message why; !one.state()->load(before, why).ok()) {
      return fail(fmt::format("{}: load() refuses what save() wrote: {}", spec.title, why.text));
    }
    const auto second = one.run(a);
    const auto at = first_difference(first, second);
    if (at < 0) continue;
    const auto index = static_cast<std::size_t>(at);
    const auto numbers = fmt::format("{}: number {} is {}, and {} after other work", spec.title, at,
                                     first[index], second[index]);
    if (one.state() != nullptr) return fail(numbers + ", although its state was loaded again");
    if (std::isnan(second[index])) return fail(numbers);
    remarks.add(numbers +
                ": it remembers something, but exports no cambium.state/1: a swap would lose it");
  }
  return std::move(remarks).finding();
}

constexpr Check kChecks[] = {
    {"writes its whole output and nothing else",
     writes_all_and_nothing_else,
     {.bundle = true},
     kStartsUp},
    {"takes windows of 1 observation to the horizon",
     takes_every_window,
     {.bundle = true},
     kStartsUp},
    {"leaves its input alone", leaves_its_input_alone, {.bundle = true}, kStartsUp},
    {"same input, same output, bit for bit", same_input_same_output, {.bundle = true}, kStartsUp},
    {"what was computed between does not matter",
     nothing_between_matters,
     {.bundle = true},
     kStartsUp},
};

}  // namespace

std::span<const Check> output_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
