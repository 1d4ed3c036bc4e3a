// `cambium bench transfer`: becomes the program that measures, bench/transfer/main.cpp.
#include <CLI/CLI.hpp>

#include "core/app/become.hpp"
#include "core/app/bench_trunk_verbs.hpp"

namespace cambium::app {

void add_bench_transfer(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "transfer",
      "New bodies on a frozen stock, against training from scratch and what lies between.");
  verb->set_help_flag();  // its options, --help among them, are the other program's
  verb->prefix_command();
  verb->callback([verb, &exit_code] {
    exit_code = become("cambium bench transfer", "cambium-bench-transfer", verb->remaining(),
                       "it simulates the arms, and is built beside the program 'cambium' where "
                       "MuJoCo is (CAMBIUM_MUJOCO=ON)");
  });
}

}  // namespace cambium::app
