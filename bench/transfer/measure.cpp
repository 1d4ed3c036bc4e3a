#include "bench/transfer/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "bench/transfer/grow.hpp"
#include "bench/transfer/make.hpp"
#include "examples/tasks/task.hpp"

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
  // As many as anybody learns from: fewer demonstrations are the first of them.
  Recordings recordings = {std::max(2U, std::ranges::max(options.demos)), jobs + std::size_t{1},
                           watcher.stopped};

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

/// A policy that cannot see what its task is about would fail on every ground, and prove nothing.
Result<void> check_sensors(const Options& options, const NamedStock& stock) {
  for (const std::string& word : options.tasks) {
    const auto task = tasks::task_from(word);
    if (!task) return task.error();
    for (const std::string& name : bodies_of(options, word)) {
      const auto body = tasks::make_body(name, *task);
      if (!body) return body.error();
      for (const plugin::Sensor& sensor : body->embodiment.sensors)
        if (sensor.name != "joint_position" && !stock.stock.find_stem(sensor.name))
          return Error{Code::incompatible,
                       fmt::format("'{}' has no stem for '{}', without which nobody sees what '{}' "
                                   "asks for; name a stock that was pretrained on this task, or "
                                   "leave the task out (--tasks)",
                                   stock.file.string(), sensor.name, word)};
    }
  }
  return {};
}

Result<void> measure_table(Bench& bench, Report& report) {
  const auto stock = open_stock(bench.options.stock);
  if (!stock) return stock.error();
  if (auto good = check_sensors(bench.options, **stock); !good) return good;
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

/// Null if it was stopped.
Result<std::shared_ptr<const NamedStock>> grown_stock(Bench& bench, const Grown& grown) {
  const auto told = [&](const char* doing, double part) {
    bench.watcher.growing(to_string(grown), doing, part);
  };
  const auto file = bench.only_look
                        ? find_grown(grown, bench.options, bench.results.folder() / "stocks")
                        : grow(grown, bench.options, bench.results.folder() / "stocks",
                               bench.watcher.stopped, told);
  if (!file) return file.error();
  if (file->empty()) return std::shared_ptr<const NamedStock>();
  auto stock = open_stock(*file);
  if (stock) bench.stocks.add(*stock);
  return stock;
}

/// Rows on a stock that was grown, added to `rows` under the name of `label`.
Result<void> measure_on(Bench& bench, const Grown& grown, const std::string& variant,
                        const std::string& label, std::vector<Row>& rows, bool& whole) {
  const auto stock = grown_stock(bench, grown);
  if (!stock) return stock.error();
  if (!*stock) {
    whole = false;
    return {};
  }
  Options options = bench.options;
  options.grounds = {"stock"};
  auto keys = same_steps(options, {[&](const std::string& ground) { return (*stock)->id(ground); },
                                   id_of(recipe_of_rows())});
  for (RowKey& key : keys) key.variant = variant;
  if (auto done = bench.run(keys); !done) return done;
  auto made = bench.collect(keys, whole);
  for (Row& row : made) row.key.variant = label;
  rows.insert(rows.end(), made.begin(), made.end());
  return {};
}

Result<void> measure_scaling(Bench& bench, Report& report) {
  report.whole = true;
  report.grown = stocks_of_scaling(bench.options);
  for (const Grown& grown : report.grown)
    if (auto done = measure_on(bench, grown, "", to_string(grown), report.scaling, report.whole);
        !done)
      return done;
  return {};
}

Result<void> measure_ablation(Bench& bench, Report& report) {
  const Options& options = bench.options;
  report.whole = true;
  Grown grown = {options.usual_bodies, options.usual_width, options.usual_blocks, false};
  const std::pair<const char*, const char*> parts[] = {
      {"", "private joint stem, MLP head"},
      {kMlpHead, "joints stem, MLP head"},
      {kNewHead, "joints stem, joint head that begins anew"},
      {"", "joints stem, joint head that begins as the stock's"}};
  for (const auto& [variant, label] : parts) {
    if (auto done = measure_on(bench, grown, variant, label, report.ablation, report.whole); !done)
      return done;
    grown.joints = true;  // only the first knows no joints
  }
  return {};
}

}  // namespace

Result<Report> measure(const Options& options, Results& results, bool only_look,
                       const Watcher& watcher) {
  Report report;
  report.options = options;
  Bench bench = {options, results, only_look, watcher};
  const auto done = options.scaling    ? measure_scaling(bench, report)
                    : options.ablation ? measure_ablation(bench, report)
                                       : measure_table(bench, report);
  if (!done) return done.error();
  return report;
}

}  // namespace cambium::transfer
