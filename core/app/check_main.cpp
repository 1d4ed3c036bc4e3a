// cambium_check: what `cambium check FILE` runs. It judges a plugin, a bundle, a stock or a
// configuration before a robot moves, each check in a process of its own: this program again. A
// program apart from `cambium`, because its allocations are counted.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "core/app/check_report.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/plugin_description.hpp"
#include "core/app/stop_signal.hpp"
#include "core/base/nearest.hpp"
#include "core/base/scratch_folder.hpp"
#include "core/check/child.hpp"
#include "core/check/runner.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;
using check::Kind;
using check::Subject;

struct Arguments {
  fs::path file, expected;
  Subject with;  ///< the counterparts
  check::RunOptions run;
  bool json = false, describe = false, list = false;
  std::string child, kind;  ///< hidden: one check, in this process
};

int complain(const Error& error) {
  std::fprintf(stderr, "cambium check: %s\n", error.message.c_str());
  return exit_code_of(error.code);
}

Error no_scratch() {
  return {Code::failed, "no folder for the plugin's copy could be made; set TMPDIR"};
}

/// Prints what a host understands of the plugin; compares it with `expected` if there is one.
int describe(const Arguments& arguments) {
  const base::ScratchFolder scratch;
  if (scratch.path().empty()) return complain(no_scratch());
  const auto found = describe_plugin(arguments.file, scratch.path());
  if (!found) return complain(found.error());
  if (!arguments.expected.empty())
    if (const auto same = compare_with(found->text, arguments.expected); !same)
      return complain(same.error());
  std::fputs(arguments.json ? (found->json.dump(2) + "\n").c_str() : found->text.c_str(), stdout);
  return kDone;
}

fs::path& file_of(Subject& subject, Kind kind) {
  switch (kind) {
    case Kind::bundle:
      return subject.bundle;
    case Kind::stock:
      return subject.stock;
    case Kind::config:
      return subject.config;
    default:
      return subject.plugin;
  }
}

/// The file with its counterparts, each of them of the kind that its option says.
Result<Subject> subject_of(const Arguments& arguments) {
  const auto kind = check::kind_of(arguments.file);
  if (!kind) return kind.error();
  Subject subject = arguments.with;
  subject.kind = *kind;
  const std::tuple<const char*, const fs::path*, Kind> others[] = {
      {"--plugin", &subject.plugin, Kind::plugin},
      {"--head-plugin", &subject.head_plugin, Kind::plugin},
      {"--stem-plugin", &subject.stem_plugin, Kind::plugin},
      {"--bundle", &subject.bundle, Kind::bundle},
      {"--stock", &subject.stock, Kind::stock}};
  for (const auto& [option, file, expected] : others) {
    if (file->empty()) continue;
    if (*kind == Kind::config || *kind == Kind::stock || file == &file_of(subject, *kind))
      return Error{Code::bad_argument, fmt::format("'{}' is a {}; {} {} is of no use beside it",
                                                   arguments.file.string(), check::to_string(*kind),
                                                   option, file->string())};
    const auto found = check::kind_of(*file);
    if (!found)
      return Error{found.error().code, fmt::format("option {}: {}", option, found.error().message)};
    if (*found != expected)
      return Error{Code::bad_argument,
                   fmt::format("option {}: '{}' is a {}, expected a {}", option, file->string(),
                               check::to_string(*found), check::to_string(expected))};
  }
  file_of(subject, *kind) = arguments.file;
  return subject;
}

/// The file itself, and what it names.
std::vector<Subject> all_of(const Subject& subject) {
  std::vector<Subject> all = {subject};
  if (subject.kind == Kind::config)
    for (auto& named : check::named_by(subject.config)) all.push_back(std::move(named));
  return all;
}

Result<void> some_chosen(const std::vector<Subject>& subjects, const check::RunOptions& run) {
  std::vector<std::string> names;
  for (const auto& subject : subjects) {
    if (!check::chosen(subject.kind, run.only).empty()) return {};
    for (const auto& one : check::checks_of(subject.kind)) names.emplace_back(one.name);
  }
  return Error{Code::bad_argument,
               fmt::format("option --only: no check is called so{}; --list shows them",
                           base::did_you_mean(run.only.front(), names))};
}

int list(const std::vector<Subject>& subjects, const check::RunOptions& run) {
  for (const auto& subject : subjects) {
    if (subjects.size() > 1)
      fmt::print("{} {}\n", check::to_string(subject.kind), subject.file().string());
    for (const auto& one : check::chosen(subject.kind, run.only)) fmt::print("{}\n", one.name);
  }
  return kDone;
}

int check_all(Arguments& arguments) {
  const auto subject = subject_of(arguments);
  if (!subject) return complain(subject.error());
  const auto subjects = all_of(*subject);
  auto& run = arguments.run;
  if (const auto some = some_chosen(subjects, run); !some) return complain(some.error());
  if (arguments.list) return list(subjects, run);

  std::signal(SIGPIPE, SIG_IGN);  // `… | head`: the scratch folder has to go all the same
  StopSignal stop;
  const base::ScratchFolder scratch;
  if (scratch.path().empty()) return complain(no_scratch());
  run.scratch = scratch.path();
  run.stop = [&] { return stop.wait(0); };
  CheckReport report(arguments.file, subject->kind, arguments.json);
  const check::Watch watch = {[&](const check::Outcome& outcome) { report.add(outcome); },
                              [&](std::size_t done, std::size_t all, std::string_view running) {
                                report.progress(done, all, running);
                              }};
  const auto start = base::monotonic_ns();
  for (const auto& one : subjects) {
    if (check::chosen(one.kind, run.only).empty()) continue;
    report.begin(one, subjects.size() > 1);
    if (const auto outcomes = check::run_checks(one, run, watch); !outcomes)
      return complain(outcomes.error());
    report.end_subject();
  }
  report.end(static_cast<double>(base::monotonic_ns() - start) / base::kSecond);
  return report.ok() ? kDone : kFailed;
}

/// What check_all() starts for each check.
int run_child(const Arguments& arguments) {
  for (const auto kind : {Kind::plugin, Kind::bundle, Kind::stock, Kind::config}) {
    if (arguments.kind != check::to_string(kind)) continue;
    Subject subject = arguments.with;
    subject.kind = kind;
    file_of(subject, kind) = arguments.file;
    for (const auto& one : check::checks_of(kind))
      if (arguments.child == one.name)
        check::run_as_child(one, subject,
                            {.scratch = arguments.run.scratch, .seed = arguments.run.seed});
  }
  return kBadInput;
}

int run(Arguments& arguments) {
  if (!arguments.child.empty()) return run_child(arguments);
  if (arguments.describe || !arguments.expected.empty()) return describe(arguments);
  return check_all(arguments);
}

void add_options(CLI::App& program, Arguments& arguments) {
  auto& run_options = arguments.run;
  run_options.jobs = std::max(1U, std::thread::hardware_concurrency());
  program.add_option("file", arguments.file, "What to judge; its kind is told by its content")
      ->required();
  const char* with = "Try it with";
  program.add_option("--bundle", arguments.with.bundle, "Weights for a plugin")->group(with);
  program
      .add_option("--stock", arguments.with.stock, "Trunk and shared stems, for plugin or bundle")
      ->group(with);
  program.add_option("--plugin", arguments.with.plugin, "The robot of a bundle")->group(with);
  program.add_option("--head-plugin", arguments.with.head_plugin, "Where the head comes from")
      ->group(with);
  program.add_option("--stem-plugin", arguments.with.stem_plugin, "Where the stems come from")
      ->group(with);
  program.add_option("--embodiment", arguments.with.embodiment, "One of several")->group(with);
  program.add_option("--head", arguments.with.head, "Another head than the bundle names")
      ->group(with);
  program
      .add_option("--trust", arguments.with.trust,
                  "Refuse what these public keys have not signed; a configuration names its own")
      ->allow_extra_args(false)
      ->group(with);
  program.add_option("--only", run_options.only, "Checks whose name holds this, or fits *")
      ->allow_extra_args(false);
  program.add_flag("--list", arguments.list, "Show the names of the checks; run nothing");
  program.add_option("--timeout", run_options.timeout, "[s] for one check")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  program.add_option("--budget", run_options.budget, "[s] for all checks of one file")
      ->check(CLI::Range(0.1, 36000.0))
      ->capture_default_str();
  program.add_option("--jobs", run_options.jobs, "Checks at a time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  program.add_option("--seed", run_options.seed, "Same seed, same random inputs")
      ->capture_default_str();
  program.add_flag("--json", arguments.json, "Print JSON");
  program.add_flag("--describe", arguments.describe,
                   "Print what a host understands of a plugin; check nothing else");
  program.add_option("--expect", arguments.expected,
                     "File that must hold exactly what --describe prints");
  program.add_option("--child", arguments.child)->group("");
  program.add_option("--kind", arguments.kind)->group("");
  program.add_option("--scratch", run_options.scratch)->group("");
  program.footer(
      "Examples:\n  cambium check cambium.toml\n"
      "  cambium check libmy_arm.so --bundle my_arm.safetensors --stock models/stock.safetensors");
}

}  // namespace
}  // namespace cambium::app

int main(int argc, char** argv) {
  using namespace cambium::app;
  CLI::App program{"Judge a plugin, a bundle, a stock or a configuration with all that it names",
                   "cambium check"};
  Arguments arguments;
  add_options(program, arguments);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? kDone : kBadInput;
  }
  return run(arguments);
}
