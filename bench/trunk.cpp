#include "bench/trunk.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>

#include "bench/bare_products.hpp"
#include "bench/pinned.hpp"
#include "bench/quantile.hpp"
#include "bench/read_bandwidth.hpp"
#include "bench/synthetic_trunk.hpp"
#include "core/base/nearest.hpp"
#include "core/base/team.hpp"

namespace cambium::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Model = std::unique_ptr<trunk::TrunkModel>;

/// A batch that goes through the model, as the trunk's compute thread would send it.
/// cores: of the model, none for one thread.
Contender ours(trunk::TrunkModel& model, std::uint32_t robots, std::vector<std::uint32_t> cores) {
  return {[&model, robots, cores = std::move(cores)](std::span<double> ms) {
    std::vector<trunk::Segment> segments;
    for (std::uint32_t i = 0; i < robots; ++i)
      segments.push_back({i * kTokensOfRobot, kTokensOfRobot});
    std::vector<float> given(std::size_t{robots} * kTokensOfRobot * model.info().width);
    for (std::size_t i = 0; i < given.size(); ++i)
      given[i] = static_cast<float>((i * 37) % 101) / 50 - 1;
    std::vector<float> rows = given;
    std::thread([&] {  // the model's first, which is its caller's
      if (!cores.empty()) base::stay_on_core(cores.front());
      for (std::size_t i = 0; i <= ms.size(); ++i) {
        std::copy(given.begin(), given.end(), rows.begin());
        const auto begin = Clock::now();
        const Status done = model.forward(segments, rows.data());
        const std::chrono::duration<double, std::milli> time = Clock::now() - begin;
        if (!done.ok()) std::abort();  // a batch within max_rows
        if (i > 0) ms[i - 1] = time.count();
      }
    })
        .join();
  }};
}

class Run {
 public:
  Run(const TrunkBenchOptions& options, std::vector<TrunkSize> sizes,
      std::vector<nn::Precision> precisions, const TrunkBenchProgress& progress)
      : options_(options),
        sizes_(std::move(sizes)),
        precisions_(std::move(precisions)),
        progress_(progress),
        cores_(usable_cores()) {
    const bool both = wants(nn::Precision::bf16) && wants(nn::Precision::int8);
    all_ = sizes_.size() * options.threads.size() *
           (precisions_.size() * options.robots.size() + (both ? 1 : 0));
    double load[1] = {};
    if (::getloadavg(load, 1) == 1) report_.load = load[0];
  }

  TrunkBenchReport run() {
    for (const auto& size : sizes_) {
      const SyntheticTrunk weights(size);
      for (const auto precision : precisions_)
        for (const auto threads : options_.threads) measure(weights, precision, threads);
      if (!wants(nn::Precision::bf16) || !wants(nn::Precision::int8)) continue;
      for (const auto threads : options_.threads) compare(weights, threads);
    }
    return std::move(report_);
  }

 private:
  bool wants(nn::Precision precision) const {
    return std::find(precisions_.begin(), precisions_.end(), precision) != precisions_.end();
  }

  /// One thread runs where the system likes, as its bare products do.
  std::vector<std::uint32_t> cores_of(std::uint32_t threads) const {
    if (threads == 1) return {};
    return {cores_.begin(), cores_.begin() + threads};
  }

  /// A model that computes as it was asked to; else none, and why goes to the report.
  Model load(const SyntheticTrunk& weights, nn::Precision precision, std::uint32_t threads,
             std::uint32_t robots) {
    const std::string what = std::string(weights.size().name) + " " + nn::to_string(precision) +
                             ", " + std::to_string(threads) + " threads";
    if (threads > cores_.size()) {
      report_.left_out.push_back({what, std::to_string(cores_.size()) + " cores may be used"});
      return nullptr;
    }
    auto made = weights.load({.precision = precision,
                              .threads = threads,
                              .cores = cores_of(threads),
                              .max_rows = robots * kTokensOfRobot});
    if (!made) {
      report_.left_out.push_back({what, made.error().message});
      return nullptr;
    }
    if ((*made)->info().precision != precision) {
      report_.left_out.push_back({what, (*made)->info().chosen});
      return nullptr;
    }
    return std::move(*made);
  }

  void measure(const SyntheticTrunk& weights, nn::Precision precision, std::uint32_t threads) {
    const auto& size = weights.size();
    const auto name = [&](std::uint32_t robots) {
      return std::string(size.name) + " " + nn::to_string(precision) + " robots " +
             std::to_string(robots) + " threads " + std::to_string(threads);
    };
    progress_(done_, all_, name(options_.robots.front()));
    const auto most = *std::max_element(options_.robots.begin(), options_.robots.end());
    const Model model = load(weights, precision, threads, most);
    if (model == nullptr) {
      done_ += options_.robots.size();
      return;
    }
    const std::vector<std::uint32_t> cores(cores_.begin(), cores_.begin() + threads);
    const double read = read_bandwidth(model->info().weight_bytes, cores);
    for (const auto robots : options_.robots) {
      progress_(done_++, all_, name(robots));
      auto bare = fastest_bare_products({.width = size.width,
                                         .blocks = size.blocks,
                                         .rows = robots * kTokensOfRobot,
                                         .precision = precision,
                                         .cores = cores});
      if (!bare) report_.left_out.push_back({name(robots) + ", limit", bare.error().message});
      std::vector<Contender> turns = {ours(*model, robots, cores_of(threads))};
      if (bare) turns.push_back({[&](std::span<double> ms) { (*bare)->run(ms); }});
      if (robots > 1) turns.push_back(ours(*model, 1, cores_of(threads)));
      take_turns(turns, options_.seconds);

      TrunkBenchRow row{.size = size.name,
                        .precision = precision,
                        .robots = robots,
                        .threads = threads,
                        .ms_p50 = quantile(turns[0].ms, 0.5),
                        .ms_p99 = quantile(turns[0].ms, 0.99),
                        .weight_bytes = model->info().weight_bytes,
                        .rounds = turns[0].turns.size(),
                        .forwards = turns[0].ms.size(),
                        .engine = model->info().chosen};
      row.tokens_per_s = 1e3 * robots * kTokensOfRobot / row.ms_p50;
      row.read_gb_s = read / 1e9;
      row.roof_ratio = row.ms_p50 / (1e3 * static_cast<double>(row.weight_bytes) / read);
      if (bare) {
        row.limit = ratio(turns[0], turns[1]);
        row.limit_of_fastest = quantile(turns[0].ms, 0) / quantile(turns[1].ms, 0);
        row.bare_ms_p50 = quantile(turns[1].ms, 0.5);
        row.bare_form = (*bare)->form();
      }
      if (robots > 1) row.batch_over_1 = ratio(turns[0], turns.back());
      report_.rows.push_back(std::move(row));
    }
  }

  void compare(const SyntheticTrunk& weights, std::uint32_t threads) {
    progress_(done_++, all_, std::string(weights.size().name) + " int8 against bf16");
    const auto left_out = report_.left_out.size();
    const Model bf16 = load(weights, nn::Precision::bf16, threads, 1);
    const Model int8 = bf16 ? load(weights, nn::Precision::int8, threads, 1) : nullptr;
    report_.left_out.resize(left_out);  // said before
    if (int8 == nullptr) return;
    Contender turns[] = {ours(*bf16, 1, cores_of(threads)), ours(*int8, 1, cores_of(threads))};
    take_turns(turns, options_.seconds);
    report_.precisions.push_back({weights.size().name, threads, ratio(turns[0], turns[1])});
  }

  const TrunkBenchOptions& options_;
  std::vector<TrunkSize> sizes_;
  std::vector<nn::Precision> precisions_;
  const TrunkBenchProgress& progress_;
  std::vector<std::uint32_t> cores_;
  std::size_t done_ = 0, all_ = 0;
  TrunkBenchReport report_;
};

}  // namespace

Result<TrunkBenchReport> run_trunk(const TrunkBenchOptions& options,
                                   const TrunkBenchProgress& progress) {
  std::vector<TrunkSize> sizes;
  for (const auto& name : options.sizes) {
    const auto found = std::find_if(kTrunkSizes.begin(), kTrunkSizes.end(),
                                    [&](const TrunkSize& size) { return size.name == name; });
    if (found != kTrunkSizes.end()) {
      sizes.push_back(*found);
      continue;
    }
    std::vector<std::string> valid;
    for (const auto& size : kTrunkSizes) valid.emplace_back(size.name);
    return Error{Code::bad_argument, "no size '" + name + "'" + base::did_you_mean(name, valid)};
  }
  std::vector<nn::Precision> precisions;
  for (const auto& name : options.precisions) {
    const auto found = nn::parse_precision(name);
    if (found) {
      precisions.push_back(*found);
      continue;
    }
    std::vector<std::string> valid;
    for (const auto precision : nn::kPrecisions) valid.emplace_back(nn::to_string(precision));
    return Error{Code::bad_argument,
                 "no precision '" + name + "'" + base::did_you_mean(name, valid)};
  }
  const auto empty = [](const std::vector<std::uint32_t>& counts, std::uint32_t most) {
    return counts.empty() || std::any_of(counts.begin(), counts.end(),
                                         [&](auto count) { return count == 0 || count > most; });
  };
  if (empty(options.robots, 64) || empty(options.threads, 64))
    return Error{Code::bad_argument, "robots and threads: expected numbers from 1 to 64"};
  return Run(options, std::move(sizes), std::move(precisions), progress).run();
}

}  // namespace cambium::bench
