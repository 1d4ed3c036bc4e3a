// `cambium bench clients`: parses its arguments; bench/clients.hpp measures.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/clients.hpp"
#include "core/app/bench_trunk_verbs.hpp"
#include "core/app/beside.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/stop_signal.hpp"

namespace cambium::app {
namespace {

struct Options {
  bench::ClientsOptions bench;
  bool json = false;
};

int run(Options options) {
  const Beside beside;
  auto& rig = options.bench.rig;
  rig.program = beside.program;
  if (rig.stock.empty()) rig.stock = beside.model("stock.safetensors");
  rig.stock = std::filesystem::absolute(rig.stock);
  rig.plugin = std::filesystem::absolute(beside.plugin("libbench_bimanual.so"));
  rig.robots = std::max(options.bench.clients, static_cast<int>(bench::protocols().size()));
  StopSignal stop;
  options.bench.interrupted = [&] { return stop.wait(0); };
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  const auto rows = bench::run_clients(options.bench, [&](int done, int total) {
    if (terminal) fmt::print(stderr, "\rround {} of {}{}", done, total, done == total ? "\n" : "");
  });
  if (!rows) {
    fmt::print(stderr, "cambium bench clients: {}\n", rows.error().message);
    return exit_code_of(rows.error().code);
  }
  if (options.json)
    fmt::print("{}\n", bench::json_of(*rows).dump());
  else
    fmt::print("{}", bench::text_of(*rows));
  return kDone;
}

}  // namespace

void add_bench_clients(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand("clients",
                                    "Clients of every protocol, three pictures and 14 joints each, "
                                    "against their bare transport.");
  auto options = std::make_shared<Options>();
  auto& o = options->bench;
  verb->add_option("--rounds", o.rounds, "Rounds; each measures all protocols, one client of each")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb->add_option("--exchanges", o.exchanges, "Exchanges of each protocol in a round")
      ->capture_default_str()
      ->check(CLI::Range(1, 10000));
  verb->add_option("--period", o.period_ms, "Milliseconds between two exchanges; 0: back to back")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1000.0));
  verb->add_option("--clients", o.clients, "Clients of one protocol at once; 0: leave them out")
      ->capture_default_str()
      ->check(CLI::Range(0, 60));
  verb->add_option("--pairs", o.pairs, "Windows with all of them: without and with one that hangs")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  verb->add_option("--window", o.window_s, "Seconds of one such window")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 60.0));
  verb->add_option("--hz", o.hz, "How often each of them asks")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 1000.0));
  std::vector<std::string> names;
  for (const auto& protocol : bench::protocols()) names.emplace_back(protocol.name);
  verb->add_option("--only", o.only, "Protocols, beside native")->check(CLI::IsMember(names));
  verb->add_option("--stock", o.rig.stock, "Stock to serve");
  verb->add_flag("--json", options->json, "Print one JSON object");
  verb->footer("Example:\n  cambium bench clients --json");
  verb->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cambium::app
