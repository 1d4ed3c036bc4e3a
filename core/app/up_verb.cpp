#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "core/app/exit_code.hpp"
#include "core/app/supervisor.hpp"
#include "core/app/up_plan.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {
namespace {

struct Options {
  std::vector<std::string> files{"cambium.toml"};
  bool json = false, plain = false;
  double watchdog = 10, settled = 10;  // [s]
};

int complain(const Options& options, const Error& error) {
  if (options.json) {
    fmt::print(
        "{}\n",
        nlohmann::json{{"event", "error"}, {"code", to_string(error.code)}, {"text", error.message}}
            .dump());
  }
  fmt::print(stderr, "cambium up: {}\n", error.message);
  return exit_code_of(error.code);
}

UpReport::Mode mode_of(const Options& options) {
  if (options.json) return UpReport::Mode::json;
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  return terminal && !options.plain ? UpReport::Mode::table : UpReport::Mode::plain;
}

base::Nanoseconds nanoseconds(double seconds) {
  return static_cast<base::Nanoseconds>(seconds * static_cast<double>(base::kSecond));
}

int run(const Options& options) try {
  Supervised supervised;
  const auto plan = make_plan(options.files);
  if (!plan) return complain(options, plan.error());
  UpReport report(mode_of(options));
  int exit_code = kDone;
  {
    Supervisor supervisor(
        plan->processes,
        {.watchdog = nanoseconds(options.watchdog), .settled = nanoseconds(options.settled)},
        report, supervised);
    exit_code = supervisor.run();
  }
  clean_up(*plan);
  return exit_code;
} catch (const std::system_error& error) {
  return complain(options, {Code::failed, error.what()});
}

}  // namespace

void add_up(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "up", "Keep the trunk and the hosts of configurations running: start, watch, restart, stop.");
  auto options = std::make_shared<Options>();
  verb->add_option("config", options->files,
                   "Configuration files; a trunk that several name is started once")
      ->capture_default_str();
  verb->add_flag("--json", options->json, "One JSON object for each change");
  verb->add_flag("--plain", options->plain, "Log lines, even on a terminal");
  verb->add_option("--watchdog", options->watchdog,
                   "Seconds of silence after which a process is killed and restarted")
      ->capture_default_str()
      ->check(CLI::Range(2.0, 3600.0));
  verb->add_option("--settled", options->settled,
                   "Seconds after which a death is the first again, and not waited upon longer")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  verb->footer("Example:\n  cambium up cambium.toml");
  verb->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cambium::app
