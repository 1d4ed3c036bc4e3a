#include "bench/transfer/measure.hpp"

#include <algorithm>
#include <thread>

#include "bench/transfer/grow.hpp"
#include "bench/transfer/make.hpp"

namespace cambium::transfer {
namespace {

/// What every part of a measurement shares.
struct Bench {
  const Options& options;
  Results& results;
  const bool only_look;
  const Watcher& watcher;
  const std::uint32_t jobs = options.jobs > 0 ? options.jobs
                                              : std::max(1U, std::thread::hardware_concurrency());
  Stocks stocks = {};
  // 200 episodes or the most that anybody learns from: fewer are the first of them.
  Recordings recordings = {std::ranges::max(options.demos), jobs + std::size_t{1}, watcher.stopped};

  Result<void> run(const std::vector<RowKey>& keys) {
    if (only_look) return {};
    const auto made =
        run_all(missing(keys, results), jobs, make_rows(stocks, recordings, watcher.stopped),
                results, watcher.stopped, watcher.told);
    if (!made) return made.error();
    return {};
  }

  /// Those that are there; `whole` becomes false if some are not.
  std::vector<Row> collect(const std::vector<RowKey>& keys, bool& whole) const {
    std::vector<Row> rows;
    for (const RowKey& key : keys)
      if (const Row* row = results.find(key))
        rows.push_back(*row);
      else
        whole = false;
    return rows;
  }
};

Result<void> measure_table(Bench& bench, Report& report) {
  const auto stock = open_stock(bench.options.stock);
  if (!stock) return stock.error();
  bench.stocks.add(*stock);
  report.stock = bench.options.stock.string();
  report.trunk_id = (*stock)->stock.trunk_id();
  const Identity identity = {[&](const std::string& ground) { return (*stock)->id(ground); },
                             id_of(recipe_of_rows())};

  const auto same = same_steps(bench.options, identity);
  const auto choose = choosing(bench.options, identity);
  auto first = same;
  first.insert(first.end(), choose.begin(), choose.end());
  if (auto done = bench.run(first); !done) return done;
  const auto best = best_steps(bench.options, identity, bench.results);
  if (auto done = bench.run(best); !done) return done;

  report.whole = bench.options.candidates.empty() || best.size() == same.size();
  report.same = bench.collect(same, report.whole);
  bench.collect(choose, report.whole);
  report.best = bench.collect(best, report.whole);
  return {};
}

Result<void> measure_scaling(Bench& bench, Report& report) {
  report.whole = true;
  report.grown = grown_of(bench.options);
  const auto folder = bench.results.folder() / "stocks";
  for (const Grown& grown : report.grown) {
    const auto file = grow(
        grown, bench.options, folder, bench.watcher.stopped, [&](const learn::Progress& progress) {
          bench.watcher.growing(to_string(grown),
                                static_cast<double>(progress.step) / progress.steps);
        });
    if (!file) return file.error();
    if (file->empty()) {
      report.whole = false;
      return {};
    }
    const auto stock = open_stock(*file);
    if (!stock) return stock.error();
    bench.stocks.add(*stock);
    const Identity identity = {[&](const std::string& ground) { return (*stock)->id(ground); },
                               id_of(recipe_of_rows())};
    auto options = bench.options;
    options.grounds = {"stock"};
    auto keys = same_steps(options, identity);
    for (RowKey& key : keys) key.variant = to_string(grown);
    if (auto done = bench.run(keys); !done) return done;
    const auto rows = bench.collect(keys, report.whole);
    report.scaling.insert(report.scaling.end(), rows.begin(), rows.end());
  }
  return {};
}

}  // namespace

Result<Report> measure(const Options& options, Results& results, bool only_look,
                       const Watcher& watcher) {
  Report report;
  report.options = options;
  Bench bench = {options, results, only_look, watcher};
  const auto done = options.scaling ? measure_scaling(bench, report) : measure_table(bench, report);
  if (!done) return done.error();
  return report;
}

}  // namespace cambium::transfer
