#include <CLI/CLI.hpp>

#include "cambium/version.hpp"
#include "core/app/verb.hpp"

int main(int argc, char** argv) {
  CLI::App program{"Cambium: one shared policy trunk, many robot bodies, swapped while they move."};
  program.set_version_flag("--version", cambium::kProjectVersion);
  program.require_subcommand(1);
  int exit_code = 0;
  const cambium::app::AddVerb verbs[] = {
      cambium::app::add_up,       cambium::app::add_host,    cambium::app::add_trunk,
      cambium::app::add_admin,    cambium::app::add_new,     cambium::app::add_check,
      cambium::app::add_pretrain, cambium::app::add_graft,   cambium::app::add_bench,
      cambium::app::add_policy,   cambium::app::add_convert, cambium::app::add_session,
      cambium::app::add_keys,     cambium::app::add_sign,    cambium::app::add_record,
  };
  for (const auto add : verbs) add(program, exit_code);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
