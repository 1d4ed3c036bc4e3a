// examples/reach/accuracy.cpp: cambium-reach-accuracy: every arm with its trunk in f32, bf16 and
// int8: how far features and actions are from f32's, and how many goals are reached.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "examples/reach/embodiment.hpp"
#include "examples/reach/precisions.hpp"
#include "examples/reach/progress.hpp"

namespace {

using namespace cambium;
using nlohmann::json;

volatile std::sig_atomic_t interrupted = 0;

struct Arguments {
  std::filesystem::path models;
  std::vector<std::string> arms = {"planar3", "scara4", "so101", "ur5e", "panda7"};
  std::vector<std::string> precisions = {"bf16", "int8"};
  reach::EvaluateOptions options;
  bool json = false;
};

struct ArmResult {
  std::string arm;
  std::vector<JointInfo> joints;
  std::vector<reach::PrecisionResult> precisions;
};

Result<ArmResult> judge(const Arguments& a, const std::string& arm) {
  const auto file = reach::plugin_of(arm);
  if (!file) return file.error();
  const auto library = reach::open_plugin(*file);
  if (!library) return library.error();
  const auto embodiment = (*library)->embodiment();
  if (!embodiment) return embodiment.error();
  const auto joints = reach::joints_of(*embodiment);
  const auto model = reach::ArmModel::load(arm, joints, embodiment->control_hz);
  if (!model) return model.error();
  std::vector<nn::Precision> others;
  for (const auto& name : a.precisions) others.push_back(*nn::parse_precision(name));
  reach::Progress progress(arm, std::uint64_t{a.options.targets} * (1 + others.size()));
  auto results = reach::compare_precisions(
      *model, {a.models / "stock.safetensors", a.models / (arm + ".safetensors")}, **library,
      others, a.options, [&](std::uint32_t done) {
        progress.update(done);
        return interrupted == 0;
      });
  if (!results) return results.error();
  return ArmResult{arm, joints, std::move(*results)};
}

// Which joint's action differs by the largest share of the joint's velocity limit.
std::size_t worst_joint(const ArmResult& one, const reach::Differences& from_f32) {
  std::size_t worst = 0;
  const auto share = [&](std::size_t j) {
    return from_f32.action_max[j] / one.joints[j].velocity_max;
  };
  for (std::size_t j = 1; j < one.joints.size(); ++j)
    if (share(j) > share(worst)) worst = j;
  return worst;
}

void print_row(const ArmResult& one, const reach::PrecisionResult& result) {
  const auto& from_f32 = result.from_f32;
  const bool rounded = result.computed == result.wanted;
  std::printf("%-8s %-5s", one.arm.c_str(),
              rounded ? nn::to_string(result.wanted)
                      : (std::string(nn::to_string(result.wanted)) + "*").c_str());
  if (result.wanted == nn::Precision::f32) {
    std::printf(" %11s %11s %30s %7s", "-", "-", "-", "-");
  } else {
    const std::size_t j = worst_joint(one, from_f32);
    const auto& joint = one.joints[j];
    std::printf(" %11.5f %11.5f %10.5f %10.5f %s/s %-3s %5.2f %%", from_f32.feature_rms,
                from_f32.feature_max, from_f32.action_rms[j], from_f32.action_max[j],
                joint.kind == JointKind::prismatic ? "  m" : "rad",
                ("j" + std::to_string(j + 1)).c_str(),
                100 * from_f32.action_max[j] / joint.velocity_max);
  }
  const auto& loop = result.closed_loop;
  std::printf(" %5u / %-4u %9.2f %8.2f\n", loop.reached, loop.targets, 1e3 * loop.median_error(),
              loop.time);
}

void print_heading() {
  std::printf("%-8s %-5s %11s %11s %30s %7s %12s %9s %8s\n", "arm", "trunk", "feature rms",
              "feature max", "action rms, max of worst joint", "limit", "reached", "median mm",
              "s a goal");
}

json json_of(const ArmResult& one) {
  auto precisions = json::array();
  for (const auto& result : one.precisions) {
    auto joints = json::array();
    for (std::size_t j = 0; j < one.joints.size(); ++j) {
      const auto& joint = one.joints[j];
      joints.push_back({{"name", joint.name},
                        {"unit", joint.kind == JointKind::prismatic ? "m/s" : "rad/s"},
                        {"action_rms", result.from_f32.action_rms[j]},
                        {"action_max", result.from_f32.action_max[j]},
                        {"velocity_max", joint.velocity_max}});
    }
    precisions.push_back({{"precision", nn::to_string(result.wanted)},
                          {"computed", nn::to_string(result.computed)},
                          {"inferences", result.from_f32.inferences},
                          {"feature_rms", result.from_f32.feature_rms},
                          {"feature_max", result.from_f32.feature_max},
                          {"joints", joints},
                          {"targets", result.closed_loop.targets},
                          {"reached", result.closed_loop.reached},
                          {"median_error_mm", 1e3 * result.closed_loop.median_error()},
                          {"mean_time_s", result.closed_loop.time}});
  }
  return {{"arm", one.arm}, {"precisions", precisions}};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{
      "Drives every arm with its trunk in f32, and then in each other precision.\n"
      "While f32 drives, the others say what they would do: features are compared relative to the\n"
      "rms of f32's, actions as the head gives them, before the gate, per joint; 'limit' is the\n"
      "largest difference over the joint's velocity limit. '*': this machine computed f32 or "
      "bf16."};
  program.footer(
      "Examples:\n"
      "  cambium-reach-accuracy --models models\n"
      "  cambium-reach-accuracy --models models --arm panda7 --precision int8 --json");
  Arguments a;
  program.add_option("--models", a.models, "Folder with stock and bundles")->required();
  program.add_option("--arm", a.arms, "One or several, with commas")
      ->delimiter(',')
      ->capture_default_str();
  program.add_option("--precision", a.precisions, "Compared with f32; with commas")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::IsMember({"bf16", "int8"}));
  program.add_option("--targets", a.options.targets, "How many goals, for each arm and precision")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  program.add_option("--seed", a.options.seed, "Of the goals")->capture_default_str();
  program.add_flag("--json", a.json, "One JSON object on stdout");
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  std::signal(SIGINT, [](int) { interrupted = 1; });
  std::signal(SIGTERM, [](int) { interrupted = 1; });

  auto arms = json::array();
  for (const auto& arm : a.arms) {
    const auto result = judge(a, arm);
    if (!result) {
      std::fprintf(stderr, "cambium-reach-accuracy: %s\n", result.error().message.c_str());
      return interrupted ? 1 : 2;
    }
    if (a.json) arms.push_back(json_of(*result));
    if (!a.json && &arm == &a.arms.front()) print_heading();
    if (!a.json)
      for (const auto& one : result->precisions) print_row(*result, one);
    std::fflush(stdout);
  }
  if (a.json) std::printf("%s\n", json{{"seed", a.options.seed}, {"arms", arms}}.dump().c_str());
  return 0;
}
