#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/loopback.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

struct Options {
  bench::LoopbackOptions loopback;
  bool json = false;
};

fs::path first_that_exists(const std::vector<fs::path>& candidates) {
  for (const auto& path : candidates) {
    if (fs::exists(path)) return path.lexically_normal();
  }
  return candidates.front();
}

// Beside the program, as installed and as built.
void find_files(bench::LoopbackOptions& options) {
  options.program = fs::read_symlink("/proc/self/exe");
  const fs::path prefix = options.program.parent_path().parent_path();
  const auto model = [&](const char* name) {
    return first_that_exists(
        {prefix / "share/cambium/models" / name, prefix / "../../models" / name});
  };
  if (options.stock.empty()) options.stock = model("stock.safetensors");
  if (options.bundle.empty()) options.bundle = model("panda7.safetensors");
  if (options.plugin.empty()) {
    options.plugin = first_that_exists(
        {prefix / "lib/cambium/plugins/libpanda7.so", prefix / "lib/libpanda7.so"});
  }
  for (auto* path : {&options.stock, &options.bundle, &options.plugin}) *path = fs::absolute(*path);
}

int run(Options options) {
  find_files(options.loopback);
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto report = bench::run_loopback(options.loopback, [&](int done, int total) {
    if (terminal) fmt::print(stderr, "\rround {} of {}{}", done, total, done == total ? "\n" : "");
  });
  if (!report) {
    fmt::print(stderr, "cambium bench loopback: {}\n", report.error().message);
    return exit_code_of(report.error().code);
  }
  const auto& r = *report;
  const double tick_p50 = r.tick_us_p50 / r.raw_us_p50, tick_p99 = r.tick_us_p99 / r.raw_us_p99;
  const double lockstep_p50 = r.lockstep_us_p50 / r.raw2_us_p50,
               lockstep_p99 = r.lockstep_us_p99 / r.raw2_us_p99;
  if (options.json) {
    fmt::print("{}\n",
               nlohmann::json{{"tick_ratio_p50", tick_p50},
                              {"tick_ratio_p99", tick_p99},
                              {"lockstep_ratio_p50", lockstep_p50},
                              {"lockstep_ratio_p99", lockstep_p99},
                              {"tick_us_p50", r.tick_us_p50},
                              {"tick_us_p99", r.tick_us_p99},
                              {"raw_us_p50", r.raw_us_p50},
                              {"raw_us_p99", r.raw_us_p99},
                              {"lockstep_us_p50", r.lockstep_us_p50},
                              {"lockstep_us_p99", r.lockstep_us_p99},
                              {"raw_two_hop_us_p50", r.raw2_us_p50},
                              {"raw_two_hop_us_p99", r.raw2_us_p99},
                              {"ticks", r.ticks},
                              {"policy_ticks", r.policy_ticks},
                              {"host_rss_mb", r.host_rss_mb},
                              {"trunk_rss_beyond_weights_mb", r.trunk_rss_beyond_weights_mb}}
                   .dump());
    return kDone;
  }
  fmt::print("{:<28} {:>10} {:>10}\n", "[us]", "p50", "p99");
  fmt::print("{:<28} {:>10.1f} {:>10.1f}\n", "control tick", r.tick_us_p50, r.tick_us_p99);
  fmt::print("{:<28} {:>10.1f} {:>10.1f}\n", "raw ping-pong, one hop", r.raw_us_p50, r.raw_us_p99);
  fmt::print("{:<28} {:>10.2f} {:>10.2f}\n", "  ratio (aim 1.3)", tick_p50, tick_p99);
  fmt::print("{:<28} {:>10.1f} {:>10.1f}\n", "lockstep less trunk compute", r.lockstep_us_p50,
             r.lockstep_us_p99);
  fmt::print("{:<28} {:>10.1f} {:>10.1f}\n", "raw ping-pong, two hops", r.raw2_us_p50,
             r.raw2_us_p99);
  fmt::print("{:<28} {:>10.2f} {:>10.2f}\n", "  ratio (aim 1.5)", lockstep_p50, lockstep_p99);
  fmt::print(
      "host {:.1f} MB resident, trunk {:.1f} MB beyond its weights; {} of {} ticks driven by the "
      "policy\n",
      r.host_rss_mb, r.trunk_rss_beyond_weights_mb, r.policy_ticks, r.ticks);
  return kDone;
}

}  // namespace

void add_bench(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "bench", "Measure; compares within one run, because machines are noisy.");
  verb->require_subcommand(1);
  auto* loopback = verb->add_subcommand(
      "loopback",
      "Control tick and lockstep call over ipc against raw ZeroMQ ping-pong of the same sizes.");
  auto options = std::make_shared<Options>();
  auto& l = options->loopback;
  loopback->add_option("--stock", l.stock, "Stock to serve");
  loopback->add_option("--bundle", l.bundle, "Bundle of the robot");
  loopback->add_option("--plugin", l.plugin, "Plugin of the robot");
  loopback->add_option("--rounds", l.rounds, "Rounds; each measures all kinds")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  loopback->add_option("--exchanges", l.exchanges, "Exchanges of each kind in a round")
      ->capture_default_str()
      ->check(CLI::Range(10, 10000));
  loopback
      ->add_option("--period", l.period_ms, "Milliseconds between two exchanges; 0: back to back")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 100.0));
  loopback->add_flag("--json", options->json, "Print one JSON object");
  loopback->footer("Example:\n  cambium bench loopback --json");
  loopback->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cambium::app
