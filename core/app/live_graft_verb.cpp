#include "core/app/live_graft_verb.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>

#include "core/app/exit_code.hpp"
#include "core/learn/interrupt.hpp"
#include "core/learn/progress_line.hpp"

namespace cambium::app {
namespace {

double last_loss(const learn::TrainingReport& training) {
  return training.curve.empty() ? std::nan("") : training.curve.back().validation;
}

nlohmann::ordered_json json_of(const LiveGraftReport& report, const LiveGraftJob& job) {
  nlohmann::ordered_json out = {{"ok", report.code == Code::ok},
                                {"reason", report.reason},
                                {"robot", job.record.robot},
                                {"embodiment", report.embodiment},
                                {"interrupted", report.interrupted},
                                {"taken_back", report.taken_back},
                                {"episodes", report.recorded.episodes},
                                {"rows", report.recorded.rows},
                                {"dropped", report.recorded.dropped},
                                {"refused", report.recorded.refused},
                                {"too_short", report.too_short},
                                {"steps", report.training.step},
                                {"trained_weights", report.training.trained_weights},
                                {"frozen_weights", report.training.frozen_weights},
                                {"record_s", report.record_s},
                                {"train_s", report.train_s},
                                {"swap_s", report.swap_s},
                                {"trunk_id_before", report.trunk_id_before},
                                {"trunk_id_after", report.trunk_id_after},
                                {"swap", report.swap},
                                {"robots", nlohmann::ordered_json::array()},
                                {"files", nlohmann::ordered_json::array()},
                                {"notes", report.notes}};
  if (std::isfinite(last_loss(report.training))) out["val_loss"] = last_loss(report.training);
  for (const auto& robot : report.robots)
    out["robots"].push_back({{"name", robot.robot},
                             {"ticks", robot.ticks},
                             {"missed_before", robot.before},
                             {"missed_after", robot.after}});
  for (const auto& file : report.files) out["files"].push_back(file.string());
  return out;
}

void print_swap(const nlohmann::json& swap) {
  const auto shadow = swap.value("shadow", nlohmann::json::object());
  if (shadow.value("rows", 0) != 0) {
    fmt::print("shadow: {} actions compared\n{:<16} {:>10} {:>10} {:>10}\n",
               shadow.value("rows", 0), "joint", "mean", "max", "allowed");
    for (const auto& joint : shadow.value("joints", nlohmann::json::array()))
      fmt::print("{:<16} {:>10.4g} {:>10.4g} {:>10.4g}  {}\n", joint.value("joint", ""),
                 joint.value("mean", 0.0), joint.value("max", 0.0), joint.value("bound", 0.0),
                 joint.value("unit", ""));
  }
  if (swap.value("ok", false))
    fmt::print(
        "swapped: generation {}, between two ticks in {:.1f} us; stood {} of {} ticks on "
        "probation\n",
        swap.value("generation", 0), swap.value("commit_us", 0.0), swap.value("proved", 0),
        swap.value("probation", 0));
}

void print_text(const LiveGraftReport& report, const LiveGraftJob& job) {
  for (const auto& note : report.notes) fmt::print("note: {}\n", note);
  for (const auto& note : report.training.notes) fmt::print("note: {}\n", note);
  if (report.record_s > 0)
    fmt::print("recorded: {} episodes of '{}', {} rows in {:.1f} s ({} dropped, {} refused)\n",
               report.recorded.episodes, job.record.robot, report.recorded.rows, report.record_s,
               report.recorded.dropped, report.recorded.refused);
  if (report.train_s > 0) {
    fmt::print("learned: {} weights, {} frozen, {} steps in {:.1f} s",
               report.training.trained_weights, report.training.frozen_weights,
               report.training.step, report.train_s);
    if (std::isfinite(last_loss(report.training)))
      fmt::print(", loss on held-out episodes {:.4f}", last_loss(report.training));
    fmt::print("\n");
  }
  print_swap(report.swap);
  fmt::print("trunk before {}\ntrunk after  {}\n", report.trunk_id_before, report.trunk_id_after);
  for (const auto& robot : report.robots)
    fmt::print("{:<12} {:>8} ticks meanwhile, {} of them missed\n", robot.robot, robot.ticks,
               robot.after - robot.before);
  for (const auto& file : report.files) fmt::print("wrote {}\n", file.string());
}

int complain(const Error& error) {
  fmt::print(stderr, "cambium graft: {}\n", error.message);
  return error.code == Code::incompatible ? static_cast<int>(kBadInput) : exit_code_of(error.code);
}

}  // namespace

CLI::Option* add_live_graft_options(CLI::App& verb, LiveGraftArguments& arguments) {
  const char* group = "Live";
  LiveGraftJob& job = arguments.job;
  auto* live = verb.add_option("--live", job.record.robot,
                               "Record this robot's controller demonstrating, learn from that "
                               "beside it, try it in shadow and swap it in")
                   ->group(group);
  const auto add = [&](CLI::Option* option) { option->needs(live)->group(group); };
  add(verb.add_option("--episodes", job.record.episodes, "How many to record")
          ->capture_default_str()
          ->check(CLI::PositiveNumber));
  add(verb.add_option("--patience", job.record.patience,
                      "Seconds to wait while nobody demonstrates")
          ->capture_default_str()
          ->check(CLI::PositiveNumber));
  add(verb.add_option("--keep", job.demonstrations,
                      "Keep the demonstrations in this file (.safetensors)"));
  add(verb.add_option("--priority", arguments.priority,
                      "Of the training: idle has what nothing else wants of a core, low yields to "
                      "what is not as nice")
          ->capture_default_str()
          ->check(CLI::IsMember({"idle", "low"})));
  add(verb.add_option("--shadow", job.shadow,
                      "Ticks that it runs beside whoever drives, demonstrator or policy; 0: none")
          ->capture_default_str());
  add(verb.add_option("--shadow-bound", job.shadow_bound,
                      "Largest difference that is let through, as a fraction of each joint's "
                      "limit"));
  add(verb.add_option("--probation", job.probation,
                      "Ticks in which a fault of the new policy takes it back"));
  add_host_options(verb, arguments.host);
  return live;
}

int run_live_graft(const LiveGraftArguments& arguments, const learn::GraftJob& graft, bool json) {
  LiveGraftJob job = arguments.job;
  job.stock = graft.stock;
  job.output = graft.output.empty() ? std::filesystem::path(job.record.robot + ".safetensors")
                                    : graft.output;
  job.recipe = graft.recipe;
  job.force = graft.force;
  job.priority = arguments.priority == "idle" ? Priority::idle : Priority::low;
  const auto host = HostLine::open(arguments.host);
  if (!host) return complain(host.error());
  const learn::Interrupt interrupt;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  std::optional<RecordLine> recording;
  std::optional<learn::ProgressLine> training;
  const LiveGraftView view{.say =
                               [&](const std::string& text) {
                                 recording.reset();
                                 training.reset();
                                 fmt::print(stderr, "{}\n", text);
                               },
                           .recording =
                               [&](const RecordProgress& progress) {
                                 if (!recording) recording.emplace(job.record.episodes, terminal);
                                 recording->show(progress);
                               },
                           .training =
                               [&](const learn::Progress& progress) {
                                 if (!training) training.emplace(stderr, terminal);
                                 training->show(progress, learn::ProgressLine::Clock::now());
                               },
                           .stop = [&] { return interrupt.asked(); }};
  const auto report = live_graft(*host, job, view);
  recording.reset();
  training.reset();
  if (!report) return complain(report.error());
  if (json)
    fmt::print("{}\n", json_of(*report, job).dump(1));
  else
    print_text(*report, job);
  if (report->code != Code::ok) fmt::print(stderr, "cambium graft: {}\n", report->reason);
  return report->code == Code::ok ? kDone : kFailed;
}

}  // namespace cambium::app
