#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/chaos.hpp"
#include "bench/chaos_report.hpp"
#include "bench/frames.hpp"
#include "bench/loopback.hpp"
#include "bench/swap.hpp"
#include "bench/swap_report.hpp"
#include "core/app/bench_trunk_verbs.hpp"
#include "core/app/beside.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/stop_signal.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

struct Options {
  bench::LoopbackOptions loopback;
  bool json = false;
};

template <class Bench>
struct RigBench {
  Bench bench;
  bool json = false;
};

void find_files(bench::LoopbackOptions& options) {
  const Beside beside;
  options.program = beside.program;
  if (options.stock.empty()) options.stock = beside.model("stock.safetensors");
  if (options.bundle.empty()) options.bundle = beside.model("panda7.safetensors");
  if (options.plugin.empty()) options.plugin = beside.plugin("libpanda7.so");
  for (auto* path : {&options.stock, &options.bundle, &options.plugin}) *path = fs::absolute(*path);
}

void find_files(bench::RigOptions& options) {
  const Beside beside;
  options.program = beside.program;
  if (options.stock.empty()) options.stock = beside.model("stock.safetensors");
  options.stock = fs::absolute(options.stock);
  options.plugins = beside.plugin("libbench_arm.so").parent_path();
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

// swap and chaos: a rig of robots, some time, a report.
template <class Bench, class Run>
int run_rig(const char* name, RigBench<Bench> options, Run run) {
  find_files(options.bench.rig);
  StopSignal stop;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto report = run(
      options.bench, [&](base::Nanoseconds time) { return stop.wait(time); },
      [&](double done, double all) {
        if (terminal) fmt::print(stderr, "\r{:.0f} of {:.0f} s ", done, all);
      });
  if (terminal) fmt::print(stderr, "\r{:20}\r", "");
  if (!report) {
    fmt::print(stderr, "cambium bench {}: {}\n", name, report.error().message);
    return kFailed;
  }
  if (options.json)
    fmt::print("{}\n", bench::json_of(*report).dump());
  else
    fmt::print("{}", bench::text_of(*report));
  return kDone;
}

template <class Bench>
std::shared_ptr<RigBench<Bench>> add_options(CLI::App& verb, const char* seconds) {
  auto options = std::make_shared<RigBench<Bench>>();
  auto& o = options->bench;
  verb.add_option("--robots", o.rig.robots, "Robots at 200 Hz, beside one at 500 Hz")
      ->capture_default_str()
      ->check(CLI::Range(1, 60));
  verb.add_option("--seconds", o.seconds, seconds)
      ->capture_default_str()
      ->check(CLI::Range(0.5, 86400.0));
  verb.add_option("--seed", o.seed, "Another one, another order")->capture_default_str();
  verb.add_option("--stock", o.rig.stock, "Stock to serve");
  verb.add_flag("--json", options->json, "Print one JSON object");
  return options;
}

void add_swap(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "swap", "Swaps of every kind under robots that move, as fast as they complete.");
  auto options =
      add_options<bench::SwapOptions>(*verb, "Seconds with swaps; as long again without, in turns");
  verb->footer("Example:\n  cambium bench swap --seconds 60 --json");
  verb->callback([options, &exit_code] { exit_code = run_rig("swap", *options, bench::run_swap); });
}

void add_chaos(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "chaos", "Random faults under robots that move: killed processes, bad plugins, garbage.");
  auto options = add_options<bench::ChaosOptions>(*verb, "Seconds with faults");
  verb->footer("Example:\n  cambium bench chaos --seconds 60 --seed 7 --json");
  verb->callback(
      [options, &exit_code] { exit_code = run_rig("chaos", *options, bench::run_chaos); });
}

int run_frames(bench::FramesOptions options, bool json) {
  const Beside beside;
  options.program = beside.program;
  options.plugin = fs::absolute(beside.plugin("libbench_camera.so"));
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto rows = bench::run_frames(options, [&](int done, int total) {
    if (terminal) fmt::print(stderr, "\rround {} of {}{}", done, total, done == total ? "\n" : "");
  });
  if (!rows) {
    fmt::print(stderr, "cambium bench frames: {}\n", rows.error().message);
    return exit_code_of(rows.error().code);
  }
  if (json)
    fmt::print("{}\n", bench::json_of(*rows).dump());
  else
    fmt::print("{}", bench::text_of(*rows));
  return kDone;
}

void add_frames(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "frames",
      "Camera frames from controller to host and the action back: shared memory against bytes.");
  auto options = std::make_shared<bench::FramesOptions>();
  auto json = std::make_shared<bool>(false);
  verb->add_option("--rounds", options->rounds, "Rounds; each measures all sizes both ways")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb->add_option("--exchanges", options->exchanges, "Frames of each size and way in a round")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  verb->add_option("--period", options->period_ms,
                   "Milliseconds between two frames; 0: back to back")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0));
  verb->add_flag("--json", *json, "Print one JSON object");
  verb->footer("Example:\n  cambium bench frames --json");
  verb->callback([options, json, &exit_code] { exit_code = run_frames(*options, *json); });
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
  loopback->add_flag("--tcp", l.tcp, "Over loopback tcp instead of ipc");
  loopback->add_flag("--keys", l.keys, "Over loopback tcp with keys; raw ping-pong without");
  loopback->add_flag("--json", options->json, "Print one JSON object");
  loopback->footer("Example:\n  cambium bench loopback --json");
  loopback->callback([options, &exit_code] { exit_code = run(*options); });
  add_bench_clients(*verb, exit_code);
  add_frames(*verb, exit_code);
  add_swap(*verb, exit_code);
  add_chaos(*verb, exit_code);
  add_bench_trunk(*verb, exit_code);
  add_bench_forward(*verb, exit_code);
  add_bench_mixed(*verb, exit_code);
  add_bench_memory(*verb, exit_code);
  add_bench_transfer(*verb, exit_code);
}

}  // namespace cambium::app
