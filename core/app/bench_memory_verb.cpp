#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/memory.hpp"
#include "bench/memory_report.hpp"
#include "core/app/bench_trunk_verbs.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/stop_signal.hpp"

namespace cambium::app {
namespace {

struct MemoryVerb {
  bench::MemoryOptions bench;
  std::string precision = "f32", plot;
  bool json = false, quick = false;
};

/// What a look at everything takes, a minute.
void make_quick(bench::MemoryOptions& bench) {
  bench.tokens = std::min<std::uint64_t>(bench.tokens, 100'000);
  std::erase_if(bench.caches, [](auto cache) { return cache > 1024; });
  std::erase_if(bench.contexts, [](auto context) { return context > 8192; });
  bench.rounds = std::min(bench.rounds, 3U);
  bench.kills = std::min(bench.kills, 2U);
}

bool write(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  return static_cast<bool>(out);
}

int run_memory_bench(MemoryVerb options) {
  auto& o = options.bench;
  o.precision = *nn::parse_precision(options.precision);
  o.program = std::filesystem::read_symlink("/proc/self/exe");
  if (options.quick) make_quick(o);
  StopSignal stop;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto report = bench::run_memory(
      o, [&] { return stop.wait(0); },
      [&](double done, const std::string& what) {
        constexpr int kBar = 30;
        if (!terminal) return;
        fmt::print(stderr, "\r[{:.<{}}] {:>3.0f} %  {:<32}",
                   std::string(static_cast<std::size_t>(kBar * done), '#'), kBar, 100 * done, what);
      });
  if (terminal) fmt::print(stderr, "\r{:76}\r", "");
  if (!report) {
    fmt::print(stderr, "cambium bench memory: {}\n", report.error().message);
    return exit_code_of(report.error().code);
  }
  for (const auto& out : report->left_out)
    fmt::print(stderr, "left out: {}: {}\n", out.what, out.reason);
  fmt::print("{}", options.json ? bench::json_of(*report).dump() + "\n" : bench::text_of(*report));
  if (options.plot.empty() || write(options.plot, bench::draw_growth(*report))) return kDone;
  fmt::print(stderr, "cambium bench memory: '{}': cannot write\n", options.plot);
  return kFailed;
}

}  // namespace

void add_bench_memory(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand("memory",
                                    "Trunks that remember: a million tokens, sinks against "
                                    "recomputation, constant memory against "
                                    "a growing cache, robots together, sessions in files.");
  auto options = std::make_shared<MemoryVerb>();
  auto& o = options->bench;
  verb->add_option("--size", o.size, "small (width 128) or base (256), 4 blocks; not of batch")
      ->capture_default_str();
  verb->add_option("--batch-size", o.batch_size, "The same of batch")->capture_default_str();
  verb->add_option("--arch", o.architectures, "streaming, infini, retnet, mamba, gr1")
      ->delimiter(',')
      ->capture_default_str();
  verb->add_option("--part", o.parts, "stream, sinks, decode, batch, snapshot")
      ->delimiter(',')
      ->capture_default_str();
  verb->add_option("--precision", options->precision, "Of the matrix products")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  verb->add_option("--threads", o.threads, "Threads of one pass")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  verb->add_option("--tokens", o.tokens, "Tokens through each architecture")->capture_default_str();
  verb->add_option("--request", o.request, "Tokens of a robot's step, in stream")
      ->capture_default_str();
  verb->add_option("--batch-request", o.batch_request, "The same in batch")->capture_default_str();
  verb->add_option("--cache", o.caches, "Tokens in the cache, sinks among them")
      ->delimiter(',')
      ->capture_default_str();
  verb->add_option("--context", o.context, "Tokens before the one that is decoded")
      ->capture_default_str()
      ->check(CLI::Range(512, 1 << 20));
  verb->add_option("--contexts", o.contexts, "Where the time of a token is measured as it grows")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(512, 1 << 20));
  verb->add_option("--robots", o.robots, "Robots that step together")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  verb->add_option("--rounds", o.rounds, "Turns of each contender")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  verb->add_option("--kills", o.kills, "kill -9 of the trunk whose sessions are in files")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb->add_option("--plot", options->plot, "SVG file: time of a token over its context");
  verb->add_flag("--quick", options->quick, "A look: fewer tokens, shorter contexts, three rounds");
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->footer(
      "Examples:\n  cambium bench memory --json\n"
      "  cambium bench memory --quick\n"
      "  cambium bench memory --part decode --size base --plot growth.svg");
  verb->callback([options, &exit_code] { exit_code = run_memory_bench(*options); });
}

}  // namespace cambium::app
