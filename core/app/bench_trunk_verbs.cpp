#include "core/app/bench_trunk_verbs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/forward.hpp"
#include "bench/mixed.hpp"
#include "bench/mixed_report.hpp"
#include "bench/trunk.hpp"
#include "bench/trunk_report.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/stop_signal.hpp"

namespace cambium::app {
namespace {

struct TrunkOptions {
  bench::TrunkBenchOptions bench;
  bool json = false, quick = false;
};

int run_trunk_bench(TrunkOptions options) {
  if (options.quick) options.bench.seconds = 0.2;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto report = bench::run_trunk(
      options.bench, [&](std::size_t done, std::size_t all, const std::string& what) {
        constexpr std::size_t kBar = 20;
        if (!terminal) return;
        fmt::print(stderr, "\r[{:.<{}}] {:>3} of {}  {:<36}", std::string(kBar * done / all, '#'),
                   kBar, done, all, what);
      });
  if (terminal) fmt::print(stderr, "\r{:76}\r", "");
  if (!report) {
    fmt::print(stderr, "cambium bench trunk: {}\n", report.error().message);
    return exit_code_of(report.error().code);
  }
  for (const auto& out : report->left_out)
    fmt::print(stderr, "left out: {}: {}\n", out.what, out.reason);
  if (options.json)
    fmt::print("{}\n", bench::json_of(*report).dump());
  else
    fmt::print("{}", bench::text_of(*report));
  return kDone;
}

struct ForwardArguments {
  bench::ForwardOptions bench;
  std::string precision = "f32", backend;
};

// Always JSON: its reader is a program.
int run_forward(ForwardArguments arguments) {
  auto& model = arguments.bench.model;
  model.precision = *nn::parse_precision(arguments.precision);
  if (!arguments.backend.empty())
    model.backend = arguments.backend == "eigen" ? nn::Backend::eigen : nn::Backend::onednn;
  const auto done = bench::serve_forward(arguments.bench, std::cin, std::cout);
  if (done) return kDone;
  const Error& error = done.error();
  fmt::print(
      "{}\n",
      nlohmann::json{{"event", "error"}, {"code", to_string(error.code)}, {"text", error.message}}
          .dump());
  fmt::print(stderr, "cambium bench forward: {}\n", error.message);
  return exit_code_of(error.code);
}

struct MixedVerb {
  bench::MixedOptions bench;
  bool json = false;
};

int run_mixed(MixedVerb options) {
  options.bench.program = std::filesystem::read_symlink("/proc/self/exe");
  StopSignal stop;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto report = bench::run_mixed(
      options.bench, [&] { return stop.wait(0); },
      [&](double done, double all) {
        if (terminal) fmt::print(stderr, "\r{:.0f} of {:.0f} s ", done, all);
      });
  if (terminal) fmt::print(stderr, "\r{:20}\r", "");
  if (!report) {
    fmt::print(stderr, "cambium bench mixed: {}\n", report.error().message);
    return exit_code_of(report.error().code);
  }
  fmt::print("{}", options.json ? bench::json_of(*report).dump() + "\n" : bench::text_of(*report));
  return kDone;
}

}  // namespace

void add_bench_trunk(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "trunk", "The trunk's engine against the bare matrix products and against memory.");
  auto options = std::make_shared<TrunkOptions>();
  auto& o = options->bench;
  verb->add_option("--size", o.sizes, "Small, Base, Large, XLarge")
      ->delimiter(',')
      ->capture_default_str();
  verb->add_option("--precision", o.precisions, "f32, bf16, int8")
      ->delimiter(',')
      ->capture_default_str();
  verb->add_option("--robots", o.robots, "Robots in one batch, 32 tokens each")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  verb->add_option("--threads", o.threads, "Threads of the engine")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  verb->add_option("--seconds", o.seconds, "Seconds a row, at least three rounds")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  verb->add_flag("--quick", options->quick, "A look: 0.2 seconds a row");
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->footer("Example:\n  cambium bench trunk --size Base,XLarge --precision bf16 --json");
  verb->callback([options, &exit_code] { exit_code = run_trunk_bench(*options); });
}

void add_bench_forward(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "forward", "Forward passes of a stock's trunk on demand, for programs that compare engines.");
  auto options = std::make_shared<ForwardArguments>();
  auto& o = options->bench;
  verb->add_option("--stock", o.stock, "Stock whose trunk runs")->required();
  verb->add_option("--robots", o.robots, "Robots in the batch")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  verb->add_option("--tokens", o.tokens, "Tokens of each robot")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  verb->add_option("--precision", options->precision, "Of the matrix products")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  verb->add_option("--backend", options->backend, "Who does the matrix products")
      ->check(CLI::IsMember({"onednn", "eigen"}));
  verb->add_option("--threads", o.model.threads, "Threads of one pass")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  verb->add_option("--cores", o.model.cores, "Core of each thread; else where the system likes")
      ->delimiter(',');
  verb->footer(
      "Commands on its input, one a line: input FILE, run N, output FILE, quit.\nExample:\n"
      "  printf 'run 20\\n' | cambium bench forward --stock models/stock.safetensors --robots 4");
  verb->callback([options, &exit_code] { exit_code = run_forward(*options); });
}

void add_bench_mixed(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "mixed",
      "Robots of different kinds behind one trunk: together against one at a time, and deadlines "
      "at half and at twice of what it can do.");
  auto options = std::make_shared<MixedVerb>();
  auto& o = options->bench;
  verb->add_option("--precision", o.precision, "Handed on to the trunk: f32, bf16 or int8");
  verb->add_option("--threads", o.threads, "Threads of the trunk")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  verb->add_option("--seconds", o.seconds, "Seconds of all measurements together")
      ->capture_default_str()
      ->check(CLI::Range(4.0, 3600.0));
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->footer("Example:\n  cambium bench mixed --threads 2 --json");
  verb->callback([options, &exit_code] { exit_code = run_mixed(*options); });
}

}  // namespace cambium::app
