#include <algorithm>
#include <deque>
#include <memory>

#include "bench/memory_bench.hpp"
#include "bench/memory_robots.hpp"
#include "bench/quantile.hpp"
#include "bench/turns.hpp"

namespace cambium::bench {
namespace {

constexpr std::uint32_t kFill = 512;  // rows of a pass that brings a memory to its context
constexpr std::size_t kSteps = 12;    // of one token in a turn
constexpr std::uint32_t kRobots[] = {1, 8};
const char kFull[] = "full";

/// Robots of one architecture, all with the same past.
class Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> load(const MemoryBench& bench, const std::string& arch,
                                               std::uint32_t most_context, std::uint32_t robots) {
    // Attention over everything is a window that nothing ever leaves.
    const MemoryTrunk kind =
        arch == kFull ? bench.trunk("streaming", most_context) : bench.trunk(arch);
    const std::uint32_t rows = std::max(kFill, robots);
    auto model = load_memory_trunk(kind, bench.model_options(rows));
    if (!model) return model.error();
    std::unique_ptr<Decoder> decoder(new Decoder(arch, std::move(*model), robots, rows));
    // GR-1 remembers steps: those of one token would be a smaller window.
    if (arch == "gr1") decoder->tokens_ = kind.tokens_per_step;
    return decoder;
  }

  const std::string& arch() const { return arch_; }
  const trunk::ModelInfo& info() const { return model_->info(); }
  std::uint64_t context() const { return context_; }
  /// Brings the first robot to so many tokens in all.
  void fill(std::uint64_t context) {
    if (context > context_) robots_.fill(0, context - context_, kFill);
    context_ = std::max(context_, context);
  }
  void all_as_the_first() {
    for (std::uint32_t i = 1; i < count_; ++i) robots_.copy(0, i);
  }
  /// A token of each robot in one pass, again and again.
  Contender contender() {
    return {.run =
                [this](std::span<double> ms) {
                  robots_.step(0, count_, tokens_);
                  for (double& one : ms) one = 1e-6 * robots_.step(0, count_, tokens_) / tokens_;
                  context_ += tokens_ * (ms.size() + 1);
                },
            .times = kSteps};
  }
  Result<void> finish() const { return robots_.finish(); }

 private:
  Decoder(std::string arch, std::unique_ptr<trunk::TrunkModel> model, std::uint32_t robots,
          std::uint32_t rows)
      : arch_(std::move(arch)),
        model_(std::move(model)),
        count_(robots),
        robots_(*model_, robots, rows) {}

  std::string arch_;
  std::unique_ptr<trunk::TrunkModel> model_;
  std::uint32_t count_, tokens_ = 1;  // robots, and what each sends
  MemoryRobots robots_;
  std::uint64_t context_ = 0;
};

using Decoders = std::deque<std::unique_ptr<Decoder>>;

/// Full attention first, then the others; those that cannot be had are left out.
Decoders load_all(MemoryBench& bench, const std::string& what, std::uint32_t most_context,
                  std::uint32_t robots, std::vector<std::string> architectures) {
  architectures.insert(architectures.begin(), kFull);
  Decoders decoders;
  for (const auto& arch : architectures) {
    auto decoder = Decoder::load(bench, arch, most_context, robots);
    if (decoder)
      decoders.push_back(std::move(*decoder));
    else
      bench.leave_out(what + " " + arch, decoder.error());
  }
  return decoders;
}

/// Rounds of steps that end where all have seen `context` tokens.
Result<std::vector<Contender>> take_steps(MemoryBench& bench, Decoders& decoders,
                                          std::uint32_t context) {
  const std::uint64_t steps = bench.options.rounds * (kSteps + 1);
  std::vector<Contender> turns;
  for (const auto& decoder : decoders) {
    // In pieces, because full attention takes a minute for the longest.
    for (std::uint64_t to = decoder->context(); to + steps < context;) {
      to = std::min<std::uint64_t>(to + 4 * kFill, context - steps);
      decoder->fill(to);
      const double part = static_cast<double>(to) / context;
      if (auto on = bench.go_on(decoder->arch() == kFull ? 0.8 * part : 0.8); !on)
        return on.error();
    }
    decoder->all_as_the_first();
    turns.push_back(decoder->contender());
  }
  take_rounds(turns, bench.options.rounds);
  for (const auto& decoder : decoders)
    if (auto done = decoder->finish(); !done) return done.error();
  return turns;
}

Result<void> compare(MemoryBench& bench, std::uint32_t robots) {
  const std::uint32_t context = bench.options.context;
  const std::string what = "decode, robots " + std::to_string(robots);
  if (auto begun = bench.begin(what); !begun) return begun;
  std::vector<std::string> constant;
  for (const auto& arch : bench.options.architectures)
    if (arch == "retnet" || arch == "mamba") constant.push_back(arch);
  Decoders decoders = load_all(bench, what, context, robots, constant);
  if (decoders.empty() || decoders.front()->arch() != kFull) return {};
  auto turns = take_steps(bench, decoders, context);
  if (!turns) return turns.error();
  for (std::size_t i = 1; i < decoders.size(); ++i) {
    const Ratio speedup = ratio((*turns)[0], (*turns)[i]);
    const auto &full = decoders[0]->info(), &one = decoders[i]->info();
    bench.report.decode.push_back({.arch = decoders[i]->arch(),
                                   .context = context,
                                   .robots = robots,
                                   .speedup_vs_full = speedup.median,
                                   .speedup_min = speedup.min,
                                   .speedup_max = speedup.max,
                                   .state_bytes = one.session_bytes,
                                   .full_bytes = full.session_bytes,
                                   .weight_bytes = one.weight_bytes,
                                   .full_weight_bytes = full.weight_bytes,
                                   .us = 1e3 * quantile((*turns)[i].turns, 0.5),
                                   .full_us = 1e3 * quantile((*turns)[0].turns, 0.5)});
  }
  return {};
}

Result<void> grow(MemoryBench& bench) {
  const auto& contexts = bench.options.contexts;
  if (contexts.empty()) return {};
  Decoders decoders = load_all(bench, "growth", contexts.back(), 1, bench.options.architectures);
  for (const auto context : contexts) {
    if (auto begun = bench.begin("growth, context " + std::to_string(context)); !begun)
      return begun;
    auto turns = take_steps(bench, decoders, context);
    if (!turns) return turns.error();
    for (std::size_t i = 0; i < decoders.size(); ++i)
      bench.report.growth.push_back(
          {decoders[i]->arch(), context, 1e6 * quantile((*turns)[i].turns, 0.5)});
  }
  return {};
}

}  // namespace

Result<void> bench_decode(MemoryBench& bench) {
  for (const auto robots : kRobots)
    if (auto done = compare(bench, robots); !done) return done;
  return grow(bench);
}

}  // namespace cambium::bench
