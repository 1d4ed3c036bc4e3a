// `cambium check FILE`: becomes the program that judges, core/app/check_main.cpp.
#include <CLI/CLI.hpp>

#include "core/app/become.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {

void add_check(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "check", "Judge a plugin, a bundle, a stock or a configuration with all that it names");
  verb->set_help_flag();  // its options, --help among them, are the checker's
  verb->prefix_command();
  verb->callback([verb, &exit_code] {
    exit_code =
        become("cambium check", "cambium_check", verb->remaining(),
               "it does the checking and belongs beside the program 'cambium'; install both");
  });
}

}  // namespace cambium::app
