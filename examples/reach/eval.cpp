// examples/reach/eval.cpp: cambium-reach-eval: judges a trained policy, or the expert, by what the
// arm does.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "examples/reach/embodiment.hpp"
#include "examples/reach/expert.hpp"
#include "examples/reach/policy_actor.hpp"
#include "examples/reach/progress.hpp"

namespace {

using namespace cambium;

volatile std::sig_atomic_t interrupted = 0;

int fail(const Error& error, int exit_code) {
  std::fprintf(stderr, "cambium-reach-eval: %s\n", error.message.c_str());
  return exit_code;
}

class ExpertActor final : public reach::Actor {
 public:
  explicit ExpertActor(const reach::ArmModel& model) : expert_(model) {}
  Result<void> act(std::span<const double> q, const reach::Point&, const reach::Point& goal,
                   std::span<double> action) override {
    expert_.velocity(q, goal, action);
    return {};
  }

 private:
  reach::Expert expert_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Judges a policy by closed loop: goals reached by a simulated arm."};
  program.footer(
      "Examples:\n"
      "  cambium-reach-eval --arm panda7 --stock models/stock.safetensors \\\n"
      "      --bundle models/panda7.safetensors --targets 100\n"
      "  cambium-reach-eval --arm panda7 --expert --json");
  std::string arm, plugin_file;
  reach::PolicyFiles files;
  reach::EvaluateOptions options;
  std::uint32_t replan = 1;
  std::string precision = "f32";
  bool expert = false, json = false;
  program.add_option("--arm", arm, "planar3, scara4, so101, ur5e or panda7")->required();
  auto* bundle = program.add_option("--bundle", files.bundle, "What was learned for this arm");
  auto* stock = program.add_option("--stock", files.stock, "Trunk and shared stems");
  program.add_flag("--expert", expert, "Judge the expert instead")
      ->excludes(bundle)
      ->excludes(stock);
  program.add_option("--targets", options.targets, "How many goals")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  program.add_option("--seed", options.seed, "Of the goals")->capture_default_str();
  program.add_option("--replan", replan, "Ticks that are played of each chunk")
      ->capture_default_str();
  program.add_option("--precision", precision, "What the trunk computes in")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  program.add_option("--plugin", plugin_file, "Plugin with the embodiment, stems and head");
  program.add_flag("--json", json, "One JSON object on stdout");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  if (!expert && (files.bundle.empty() || files.stock.empty()))
    return fail({Code::bad_argument, "give --stock and --bundle, or --expert"}, 2);

  if (plugin_file.empty()) {
    const auto found = reach::plugin_of(arm);
    if (!found) return fail(found.error(), 2);
    plugin_file = *found;
  }
  const auto library = reach::open_plugin(plugin_file);
  if (!library) return fail(library.error(), 2);
  const auto embodiment = (*library)->embodiment();
  if (!embodiment) return fail(embodiment.error(), 2);
  const auto model =
      reach::ArmModel::load(arm, reach::joints_of(*embodiment), embodiment->control_hz);
  if (!model) return fail(model.error(), 2);

  std::unique_ptr<reach::Actor> actor;
  std::string trunk_id;
  if (expert) {
    actor = std::make_unique<ExpertActor>(*model);
  } else {
    auto policy =
        reach::PolicyActor::make(files, **library, replan, *nn::parse_precision(precision));
    if (!policy) return fail(policy.error(), 2);
    precision = nn::to_string((*policy)->precision());  // what this machine made of it
    trunk_id = (*policy)->trunk_id();
    actor = std::move(*policy);
  }

  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });
  auto progress = std::make_unique<reach::Progress>(arm, options.targets);
  const auto result = reach::evaluate(*model, *actor, options, [&](std::uint32_t done) {
    progress->update(done);
    return interrupted == 0;
  });
  progress.reset();
  if (!result) return fail(result.error(), 1);
  if (json) {
    std::printf("%s\n", nlohmann::json{{"arm", arm},
                                       {"bundle", files.bundle.string()},
                                       {"trunk_id", trunk_id},
                                       {"precision", expert ? "" : precision},
                                       {"targets", result->targets},
                                       {"reached", result->reached},
                                       {"success", result->success()},
                                       {"median_error_mm", 1e3 * result->median_error()},
                                       {"mean_time_s", result->time}}
                            .dump()
                            .c_str());
  } else {
    std::printf("%s%s: %u of %u goals reached (%.1f %%), median error %.1f mm, %.2f s to a goal\n",
                arm.c_str(), expert ? "" : (" in " + precision).c_str(), result->reached,
                result->targets, 100 * result->success(), 1e3 * result->median_error(),
                result->time);
  }
  return interrupted ? 1 : 0;
}
