#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "core/app/training_verb.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {

void add_pretrain(CLI::App& program, int& exit_code) {
  struct Arguments {
    learn::PretrainJob job;
    std::vector<std::string> demonstrations;
    std::string output;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* verb = program.add_subcommand(
      "pretrain", "Train a trunk and its shared stems with several embodiments at once");
  learn::PretrainJob& job = arguments->job;
  verb->add_option("demonstrations", arguments->demonstrations,
                   "One .safetensors file per embodiment")
      ->required();
  verb->add_option("-o,--output", arguments->output,
                   "Folder for stock.safetensors, a bundle per embodiment and the loss curve")
      ->required();
  verb->add_flag("!--no-bundles", job.bundles, "Write the stock only");
  verb->add_flag("--resume", job.resume, "Go on where an interrupted training stopped");
  verb->add_flag("--force", job.force, "Write over files that are there");
  verb->add_flag("--json", arguments->json, "Report as JSON on stdout");
  add_recipe_options(*verb, job.recipe);
  const char* trunk = "Trunk";
  verb->add_option("--architecture", job.recipe.architecture,
                   "hpt, or streaming: remembers, in attention sinks and a recent window")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--window", job.recipe.window,
                   "streaming: ticks of one episode in a sample; its cache holds as many")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--sinks", job.recipe.sinks,
                   "streaming: tokens of its cache that are an episode's first")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--width", job.recipe.width, "Numbers in a token")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--blocks", job.recipe.blocks, "Transformer blocks")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--heads", job.recipe.heads, "Attention heads")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option(
          "--head", job.recipe.head_kind,
          "mlp: one a body. joint: one for every joint of every body, and a token a joint, "
          "from the axes in the demonstrations; a graft begins with it (widths 128)")
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--private", job.recipe.private_sensors,
                   "Sensors whose stems belong to an embodiment, in order")
      ->delimiter(',')
      ->capture_default_str()
      ->group(trunk);
  verb->add_option("--shared", job.recipe.shared_sensors,
                   "Sensors whose stems belong to the stock, in order")
      ->delimiter(',')
      ->capture_default_str()
      ->group(trunk);
  verb->footer(
      "Examples:\n"
      "  cambium pretrain demos/planar3.safetensors demos/panda7.safetensors -o models\n"
      "  cambium pretrain demos/*.safetensors -o models --steps 2500 --seed 1\n"
      "  cambium pretrain demos/*.safetensors -o models --resume    after Ctrl-C\n"
      "  cambium pretrain demos/random_*.safetensors -o models --head joint --no-bundles \\\n"
      "      --shared tool,goal\n"
      "  cambium pretrain context.safetensors -o models --architecture streaming --window 96 \\\n"
      "      --private state --shared ''");
  verb->callback([arguments, verb, &exit_code] {
    learn::PretrainJob& task = arguments->job;
    task.demonstrations.assign(arguments->demonstrations.begin(), arguments->demonstrations.end());
    task.output = arguments->output;
    for (auto* sensors : {&task.recipe.private_sensors, &task.recipe.shared_sensors})
      std::erase(*sensors, "");  // --shared '' means none
    if (task.recipe.head_kind == "joint" && verb->count("--head-widths") == 0)
      task.recipe.head_widths = learn::joint_head_widths();
    exit_code = run_training(
        [&](const learn::Watch& watch) { return learn::pretrain(task, watch); }, arguments->json);
  });
}

}  // namespace cambium::app
