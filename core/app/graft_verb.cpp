#include <CLI/CLI.hpp>
#include <memory>

#include "core/app/live_graft_verb.hpp"
#include "core/app/training_verb.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {

void add_graft(CLI::App& program, int& exit_code) {
  struct Arguments {
    learn::GraftJob job;
    std::string demonstrations, stock, output;
    bool json = false;
    LiveGraftArguments live;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* verb =
      program.add_subcommand("graft", "Train one more embodiment on a stock, which stays as it is");
  learn::GraftJob& job = arguments->job;
  job.recipe = learn::graft_recipe();
  auto* file = verb->add_option("demonstrations", arguments->demonstrations,
                                "Demonstrations of the embodiment (.safetensors)");
  verb->add_option("-s,--stock", arguments->stock,
                   "Trunk and shared stems to graft onto; only read")
      ->required();
  auto* output =
      verb->add_option("-o,--output", arguments->output,
                       "Bundle to write (.safetensors); with --live by default ROBOT.safetensors");
  auto* resume =
      verb->add_flag("--resume", job.resume, "Go on where an interrupted training stopped");
  verb->add_flag("--force", job.force, "Write over a bundle that is there");
  verb->add_flag("--json", arguments->json, "Report as JSON on stdout");
  add_recipe_options(*verb, job.recipe);
  auto* live = add_live_graft_options(*verb, arguments->live);
  live->excludes(file)->excludes(resume);
  verb->footer(
      "Examples:\n"
      "  cambium graft demos/so101.safetensors --stock models/stock.safetensors -o "
      "models/so101.safetensors\n"
      "  cambium graft demos/ur5e.safetensors -s models/stock.safetensors -o ur5e.safetensors "
      "--steps 3000\n"
      "  cambium graft --live bench --episodes 100 -s models/stock.safetensors -o "
      "bench.safetensors\n"
      "\nA stock that was pretrained with --head joint brings a head, and the graft begins with "
      "it,\n"
      "where demonstrations say where the joints lie; --head-widths is not looked at then.\n"
      "\nThe id of the trunk is computed before and after; a graft that changed it would be an "
      "error.");
  verb->callback([arguments, verb, file, output, live, &exit_code] {
    if (live->count() == 0) {
      if (file->count() == 0)
        throw CLI::RequiredError("demonstrations, or --live ROBOT to have them shown,");
      if (output->count() == 0) throw CLI::RequiredError("--output");
    }
    learn::GraftJob& task = arguments->job;
    task.demonstrations = arguments->demonstrations;
    task.stock = arguments->stock;
    task.output = arguments->output;
    if (live->count() != 0) {
      // The robots' host is on this machine, too: one core, unless more are asked for.
      if (verb->count("--threads") == 0) task.recipe.threads = 1;
      exit_code = run_live_graft(arguments->live, task, arguments->json);
    } else {
      exit_code = run_training([&](const learn::Watch& watch) { return learn::graft(task, watch); },
                               arguments->json);
    }
  });
}

}  // namespace cambium::app
