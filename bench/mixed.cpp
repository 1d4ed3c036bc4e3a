#include "bench/mixed.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/folder.hpp"
#include "bench/process.hpp"
#include "bench/quantile.hpp"
#include "bench/synthetic_stock.hpp"

namespace cambium::bench {
namespace {

namespace fs = std::filesystem;

const nn::TrunkShape kBase{"hpt", 256, 16, 8, 4};
constexpr std::size_t kFleets[] = {8, 16};
// Four kinds of robot: tokens, and deadline in periods of the usual load.
struct Kind {
  std::uint32_t tokens;
  double deadline;
};
constexpr Kind kKinds[] = {{17, 0.75}, {32, 1.0}, {49, 1.0}, {80, 1.5}};
constexpr int kTurns = 5;
constexpr std::uint64_t kQueue = 64;
constexpr double kUsual = 0.5, kOverload = 2.0;  // of the capacity
// Parts of a fleet's time.
constexpr double kSaturated = 0.4, kUsually = 0.25, kOverloaded = 0.35;

std::vector<LoadRobot> fleet(std::size_t robots, double per_s, double load) {
  const double n = static_cast<double>(robots);
  std::vector<LoadRobot> all(robots);
  for (std::size_t i = 0; i < robots; ++i) {
    const Kind& kind = kKinds[i % std::size(kKinds)];
    all[i].tokens = kind.tokens;
    all[i].period = static_cast<base::Nanoseconds>(1e9 * n / (load * per_s));
    all[i].deadline = static_cast<base::Nanoseconds>(1e9 * n / (kUsual * per_s) * kind.deadline);
  }
  return all;
}

// One trunk process, and a link to it.
struct Trunk {
  Trunk(const MixedOptions& options, const Folder& folder, const std::string& name,
        std::uint32_t max_batch)
      : endpoint(folder.ipc(name.c_str())), log(folder.path / (name + ".log")) {
    const fs::path config = folder.path / (name + ".toml");
    std::ofstream(config) << "[trunk]\nendpoint = \"" << endpoint << "\"\nstock = \""
                          << (folder.path / "base.safetensors").string()
                          << "\"\nthreads = " << options.threads << "\nqueue = " << kQueue
                          << "\nmax_batch = " << max_batch << "\n[host]\nrun_dir = \""
                          << folder.path.string() << "\"\n";
    std::vector<std::string> arguments = {"trunk", "--config", config.string(), "--json"};
    if (!options.precision.empty())
      arguments.insert(arguments.end(), {"--precision", options.precision});
    process.emplace(options.program, arguments, log);
  }

  std::string endpoint;
  fs::path log;
  std::optional<Process> process;
};

Result<FleetLoad> connect(transport::Context& context, Trunk& trunk,
                          const std::function<bool()>& stopped) {
  auto load = FleetLoad::connect(context, trunk.endpoint, [&trunk, stopped] {
    return stopped() || !trunk.process->running();
  });
  if (!load)
    return Error{load.error().code,
                 load.error().message + "; the trunk's last word: " + last_line(trunk.log)};
  return load;
}

Result<MixedRow> run_fleet(const MixedOptions& options, const Folder& folder, std::size_t robots,
                           double seconds, const std::function<bool()>& stopped,
                           const std::function<void(double)>& progress) {
  const std::string name = std::to_string(robots);
  Trunk together(options, folder, "together" + name, 16),
      single(options, folder, "single" + name, 1);
  transport::Context context;
  auto load = connect(context, together, stopped);
  if (!load) return load.error();
  auto single_load = connect(context, single, stopped);
  if (!single_load) return single_load.error();

  MixedRow row;
  row.robots = robots;
  row.queue_bound = kQueue;
  const auto plain = fleet(robots, 1, 1);
  const double turn = seconds * kSaturated / (2 * kTurns);
  std::vector<double> per_s, single_per_s, speedups, rows_per_s;
  for (int i = 0; i < kTurns; ++i) {
    const auto one = single_load->saturate(plain, turn);
    if (!one) return one.error();
    const auto all = load->saturate(plain, turn);
    if (!all) return all.error();
    single_per_s.push_back(static_cast<double>(one->served()) / one->seconds);
    per_s.push_back(static_cast<double>(all->served()) / all->seconds);
    rows_per_s.push_back(all->rows_per_s());
    speedups.push_back(per_s.back() / single_per_s.back());
    progress(seconds * kSaturated * (i + 1) / kTurns);
  }
  single.process->stop();
  row.per_s = quantile(per_s, 0.5);
  row.one_at_a_time_per_s = quantile(single_per_s, 0.5);
  row.speedup = quantile(speedups, 0.5);

  auto usual = load->keep_asking(fleet(robots, row.per_s, kUsual), seconds * kUsually);
  if (!usual) return usual.error();
  row.usual = std::move(*usual);
  progress(seconds * (kSaturated + kUsually));
  auto overload = load->keep_asking(fleet(robots, row.per_s, kOverload), seconds * kOverloaded);
  if (!overload) return overload.error();
  row.overload = std::move(*overload);
  row.kept = row.overload.rows_per_s() / quantile(rows_per_s, 0.5);
  progress(seconds);
  together.process->stop();
  const auto stopped_line = nlohmann::json::parse(last_line(together.log), nullptr, false);
  if (stopped_line.is_discarded() || !stopped_line.contains("queue_high"))
    return Error{Code::failed, "the trunk's last word: " + last_line(together.log)};
  row.queue_high = stopped_line["queue_high"].get<std::uint64_t>();
  return row;
}

}  // namespace

Result<MixedReport> run_mixed(const MixedOptions& options, const std::function<bool()>& stopped,
                              const std::function<void(double, double)>& progress) {
  const Folder folder;
  const auto stock = write_synthetic_stock(folder.path / "base.safetensors", kBase);
  if (!stock) return stock.error();
  MixedReport report;
  report.precision = options.precision.empty() ? "f32" : options.precision;
  report.threads = options.threads;
  const double seconds = options.seconds / static_cast<double>(std::size(kFleets));
  double before = 0;
  for (const std::size_t robots : kFleets) {
    auto row = run_fleet(options, folder, robots, seconds, stopped,
                         [&](double done) { progress(before + done, options.seconds); });
    if (!row) return row.error();
    report.rows.push_back(std::move(*row));
    before += seconds;
  }
  return report;
}

}  // namespace cambium::bench
