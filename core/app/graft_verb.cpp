#include <CLI/CLI.hpp>
#include <memory>

#include "core/app/training_verb.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {

void add_graft(CLI::App& program, int& exit_code) {
  struct Arguments {
    learn::GraftJob job;
    std::string demonstrations, stock, output;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* verb =
      program.add_subcommand("graft", "Train one more embodiment on a stock, which stays as it is");
  learn::GraftJob& job = arguments->job;
  job.recipe = learn::graft_recipe();
  verb->add_option("demonstrations", arguments->demonstrations,
                   "Demonstrations of the embodiment (.safetensors)")
      ->required();
  verb->add_option("-s,--stock", arguments->stock,
                   "Trunk and shared stems to graft onto; only read")
      ->required();
  verb->add_option("-o,--output", arguments->output, "Bundle to write (.safetensors)")->required();
  verb->add_flag("--resume", job.resume, "Go on where an interrupted training stopped");
  verb->add_flag("--force", job.force, "Write over a bundle that is there");
  verb->add_flag("--json", arguments->json, "Report as JSON on stdout");
  add_recipe_options(*verb, job.recipe);
  verb->footer(
      "Examples:\n"
      "  cambium graft demos/so101.safetensors --stock models/stock.safetensors -o "
      "models/so101.safetensors\n"
      "  cambium graft demos/ur5e.safetensors -s models/stock.safetensors -o ur5e.safetensors "
      "--steps 3000\n"
      "\nA stock that was pretrained with --head joint brings a head: the graft begins with it, "
      "for "
      "bodies\nwhose demonstrations say where their joints lie, and --head-widths is not looked "
      "at.\n"
      "\nThe id of the trunk is computed before and after; a graft that changed it would be an "
      "error.");
  verb->callback([arguments, &exit_code] {
    learn::GraftJob& task = arguments->job;
    task.demonstrations = arguments->demonstrations;
    task.stock = arguments->stock;
    task.output = arguments->output;
    exit_code = run_training([&](const learn::Watch& watch) { return learn::graft(task, watch); },
                             arguments->json);
  });
}

}  // namespace cambium::app
