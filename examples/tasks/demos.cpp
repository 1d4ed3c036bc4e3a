// examples/tasks/demos.cpp: cambium-task-demos: records what the expert of a task does on a body,
// or judges it.
#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "examples/reach/progress.hpp"
#include "examples/tasks/task.hpp"

namespace {

using namespace cambium;
using nlohmann::json;

volatile std::sig_atomic_t interrupted = 0;

struct Arguments {
  std::string task, body, out;
  tasks::RecordOptions record;
  std::uint32_t check = 0;
  bool json = false;
};

int fail(const Error& error, int exit_code) {
  std::fprintf(stderr, "cambium-task-demos: %s\n", error.message.c_str());
  return exit_code;
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int judge(const Arguments& a, const tasks::TaskBody& body) {
  const auto start = std::chrono::steady_clock::now();
  const auto expert = tasks::make_expert(body);
  Result<tasks::Evaluation> result = Error{Code::failed, ""};
  {
    reach::Progress progress(a.body, a.check);
    result = tasks::evaluate(body, *expert, {.attempts = a.check}, [&](std::uint32_t done) {
      progress.update(done);
      return interrupted == 0;
    });
  }
  if (!result) return fail(result.error(), 1);
  if (interrupted) return fail({Code::failed, "interrupted"}, 1);
  if (a.json) {
    std::printf("%s\n", json{{"task", a.task},
                             {"body", a.body},
                             {"attempts", result->attempts},
                             {"succeeded", result->succeeded},
                             {"mean_time_s", result->time},
                             {"seconds", since(start)}}
                            .dump()
                            .c_str());
  } else {
    std::printf("%s on %s: the expert succeeded in %u of %u, after %.2f s on average (%.1f s)\n",
                a.task.c_str(), a.body.c_str(), result->succeeded, result->attempts, result->time,
                since(start));
  }
  return 0;
}

int record(const Arguments& a, const tasks::TaskBody& body) {
  const auto start = std::chrono::steady_clock::now();
  Result<learn::Demonstrations> recorded = Error{Code::failed, ""};
  {
    reach::Progress progress(a.body, a.record.episodes);
    recorded = tasks::record(body, a.record, [&](std::uint32_t done) {
      progress.update(done);
      return interrupted == 0;
    });
  }
  if (!recorded) return fail(recorded.error(), 1);
  if (interrupted) return fail({Code::failed, "interrupted; nothing was written"}, 1);
  if (const auto written = learn::write_demonstrations(a.out, *recorded); !written)
    return fail(written.error(), 1);
  const double seconds = since(start);
  const auto bytes = std::filesystem::file_size(a.out);
  if (a.json) {
    std::printf("%s\n", json{{"task", a.task},
                             {"body", a.body},
                             {"file", a.out},
                             {"episodes", recorded->episodes()},
                             {"rows", recorded->rows()},
                             {"bytes", bytes},
                             {"seconds", seconds}}
                            .dump()
                            .c_str());
  } else {
    std::printf("%s: %llu episodes, %llu rows, %.1f MB in %.1f s\n", a.out.c_str(),
                static_cast<unsigned long long>(recorded->episodes()),
                static_cast<unsigned long long>(recorded->rows()), static_cast<double>(bytes) / 1e6,
                seconds);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Records demonstrations of a task by its expert on a simulated body."};
  program.footer(
      "Examples:\n"
      "  cambium-task-demos --task push --body so101 --episodes 200 --seed 0 --out "
      "push.safetensors\n"
      "  cambium-task-demos --task choose --body random:17 --out choose.safetensors --json\n"
      "  cambium-task-demos --task push --body ur5e --expert-check 100");
  Arguments a;
  program.add_option("--task", a.task, "reach, choose or push")->required();
  program.add_option("--body", a.body, "planar3, scara4, so101, ur5e, panda7, or random:SEED")
      ->required();
  auto* const out =
      program.add_option("--out", a.out, "File to write (docs/files.md, Demonstrations)");
  program.add_option("--episodes", a.record.episodes, "How many attempts")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  program.add_option("--seed", a.record.seed, "Same seed, same file")->capture_default_str();
  program.add_option("--horizon", a.record.horizon, "Actions in a label")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  program.add_option("--every", a.record.every, "Keep the row of each nth tick only")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  program.add_option("--expert-check", a.check, "Judge the expert in so many attempts instead")
      ->check(CLI::Range(1, 1000000))
      ->excludes(out);
  program.add_flag("--json", a.json, "One JSON object on stdout when done");
  try {
    program.parse(argc, argv);
    if (a.out.empty() && a.check == 0) throw CLI::RequiredError("--out FILE or --expert-check N");
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  const auto task = tasks::task_from(a.task);
  if (!task) return fail(task.error(), 2);
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  const auto body = tasks::make_body(a.body, *task);
  if (!body) return fail(body.error(), 2);
  return a.check > 0 ? judge(a, *body) : record(a, *body);
}
