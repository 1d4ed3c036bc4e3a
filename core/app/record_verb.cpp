#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/app/exit_code.hpp"
#include "core/app/record.hpp"
#include "core/app/verb.hpp"
#include "core/learn/interrupt.hpp"

namespace cambium::app {
namespace {

struct Arguments {
  HostOptions host;
  RecordJob job;
  std::filesystem::path out;
  bool force = false, json = false;
};

int complain(const Error& error) {
  fmt::print(stderr, "cambium record: {}\n", error.message);
  return exit_code_of(error.code);
}

int run(const Arguments& arguments) {
  const RecordJob& job = arguments.job;
  if (std::error_code error; !arguments.force && std::filesystem::exists(arguments.out, error))
    return complain(
        {Code::bad_argument,
         fmt::format("'{}' is there already; --force writes over it", arguments.out.string())});
  const auto host = HostLine::open(arguments.host);
  if (!host) return complain(host.error());
  const learn::Interrupt interrupt;
  Result<Recorded> done = Error{};
  {
    RecordLine line(job.episodes, ::isatty(STDERR_FILENO) != 0);
    done = record(*host, job, {}, [&](const RecordProgress& progress) {
      line.show(progress);
      return !interrupt.asked();
    });
  }
  if (!done) return complain(done.error());
  if (done->interrupted && job.episodes != 0)
    return complain({Code::failed, "interrupted; nothing was written"});
  const auto& demonstrations = done->demonstrations;
  if (demonstrations.episodes() == 0)
    return complain({Code::failed, "no episode was demonstrated to its end; nothing was written"});
  if (auto written = learn::write_demonstrations(arguments.out, demonstrations); !written)
    return complain(written.error());
  if (arguments.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"robot", job.robot},
                                              {"embodiment", demonstrations.embodiment},
                                              {"file", arguments.out.string()},
                                              {"episodes", demonstrations.episodes()},
                                              {"rows", demonstrations.rows()},
                                              {"dropped", done->progress.dropped},
                                              {"refused", done->progress.refused},
                                              {"too_short", done->too_short},
                                              {"left_out", done->left_out},
                                              {"seconds", done->seconds}}
                           .dump());
    return kDone;
  }
  for (const auto& sensor : done->left_out)
    fmt::print("note: sensor '{}' is too large and was left out\n", sensor);
  fmt::print(
      "robot '{}': {} episodes of '{}', {} rows in {:.0f} s; {} rows dropped, {} refused, {} "
      "episodes too short\nwrote {}\n",
      job.robot, demonstrations.episodes(), demonstrations.embodiment, demonstrations.rows(),
      done->seconds, done->progress.dropped, done->progress.refused, done->too_short,
      arguments.out.string());
  return kDone;
}

}  // namespace

void add_record(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "record", "Record what a robot's controller demonstrates, as a file of demonstrations");
  const auto arguments = std::make_shared<Arguments>();
  RecordJob& job = arguments->job;
  verb->add_option("robot", job.robot, "Name of the robot")->required();
  verb->add_option("-o,--out", arguments->out, "File to write (.safetensors)")->required();
  verb->add_option("--episodes", job.episodes, "How many; 0: until Ctrl-C")->capture_default_str();
  verb->add_option("--rows", job.max_rows, "End after so many ticks, whatever came together")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->add_option("--patience", job.patience, "Seconds to wait while nobody demonstrates")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb->add_option("--horizon", job.horizon, "Actions in a label")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  verb->add_flag("--force", arguments->force, "Write over a file that is there");
  verb->add_flag("--json", arguments->json, "Print one JSON object");
  add_host_options(*verb, arguments->host);
  verb->footer(
      "An episode is what is demonstrated between two calls of start_episode(), without a gap. The "
      "robot's ticks do not wait for this.\n"
      "\nExamples:\n"
      "  cambium record bench --out so101.safetensors\n"
      "  cambium record bench --episodes 0 --out all.safetensors   # until Ctrl-C");
  verb->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace cambium::app
