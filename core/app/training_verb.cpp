#include "core/app/training_verb.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/learn/interrupt.hpp"
#include "core/learn/progress_line.hpp"

namespace cambium::app {
namespace {

void print_json(const learn::TrainingReport& report) {
  nlohmann::ordered_json out = {{"interrupted", report.interrupted},
                                {"step", report.step},
                                {"steps", report.steps},
                                {"trunk_id", report.trunk_id},
                                {"trunk_id_before", report.trunk_id_before},
                                {"trained_weights", report.trained_weights},
                                {"frozen_weights", report.frozen_weights},
                                {"seconds", report.seconds},
                                {"gflops", report.gflops},
                                {"notes", report.notes}};
  if (report.interrupted) out["checkpoint"] = report.checkpoint.string();
  out["files"] = nlohmann::ordered_json::array();
  for (const auto& file : report.files) out["files"].push_back(file.string());
  out["curve"] = nlohmann::ordered_json::array();
  for (const learn::LossPoint& point : report.curve) {
    nlohmann::ordered_json entry = {{"step", point.step}, {"training", point.training}};
    if (std::isfinite(point.validation)) entry["validation"] = point.validation;
    out["curve"].push_back(std::move(entry));
  }
  fmt::print("{}\n", out.dump(1));
}

void print_text(const learn::TrainingReport& report) {
  for (const std::string& note : report.notes) fmt::print("note: {}\n", note);
  if (report.interrupted) return;
  const learn::LossPoint last = report.curve.empty() ? learn::LossPoint{} : report.curve.back();
  fmt::print("trained {} weights, {} frozen, {} steps in {:.1f} s ({:.1f} GFLOP/s)\n",
             report.trained_weights, report.frozen_weights, report.steps, report.seconds,
             report.gflops);
  fmt::print("loss {:.4f}", last.training);
  if (std::isfinite(last.validation)) fmt::print(", on held-out episodes {:.4f}", last.validation);
  fmt::print("\ntrunk {}{}\n", report.trunk_id, report.frozen_weights > 0 ? " (unchanged)" : "");
  for (const auto& file : report.files) fmt::print("wrote {}\n", file.string());
}

int exit_code_of(Code code) {
  switch (code) {
    case Code::bad_argument:
    case Code::bad_data:
    case Code::not_found:
    case Code::incompatible:
      return 2;
    default:
      return 1;
  }
}

}  // namespace

void add_recipe_options(CLI::App& verb, learn::Recipe& recipe) {
  const char* group = "Recipe";
  verb.add_option("--steps", recipe.steps, "Steps of the optimiser")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--batch", recipe.batch, "Samples per embodiment and step")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--learning-rate", recipe.learning_rate, "AdamW's, after warm-up")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--ready-head-rate", recipe.ready_head_rate,
                  "Part of the learning rate where a graft's head begins as the stock's")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--weight-decay", recipe.weight_decay, "Decoupled")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--warm-up", recipe.warm_up,
                  "Steps until the full learning rate; a cosine to 1 % follows")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--clip", recipe.clip, "Largest norm of a gradient, 0: any")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--seed", recipe.seed, "Same seed, same bytes")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--threads", recipe.threads, "0: all cores; changes no number")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--validation", recipe.validation, "Share of episodes held out")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--stem-widths", recipe.stem_widths, "Hidden layers of a stem")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
  verb.add_option("--head-widths", recipe.head_widths, "Hidden layers of a head")
      ->delimiter(',')
      ->capture_default_str()
      ->group(group);
}

int run_training(const std::function<Result<learn::TrainingReport>(const learn::Watch&)>& training,
                 bool json) {
  const learn::Interrupt interrupt;
  Result<learn::TrainingReport> report = learn::TrainingReport{};
  {
    learn::ProgressLine line(stderr, ::isatty(STDERR_FILENO) != 0);
    report = training([&](const learn::Progress& progress) {
      line.show(progress, learn::ProgressLine::Clock::now());
      return !interrupt.asked();
    });
  }
  if (!report) {
    fmt::print(stderr, "error: {}\n", report.error().message);
    return exit_code_of(report.error().code);
  }
  if (json)
    print_json(*report);
  else
    print_text(*report);
  if (!report->interrupted) return 0;
  fmt::print(stderr,
             "interrupted after step {} of {}; the same command with --resume goes on from {}\n",
             report->step, report->steps, report->checkpoint.string());
  return 1;
}

}  // namespace cambium::app
