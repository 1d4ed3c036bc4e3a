// `cambium new NAME [--urdf FILE] [--dir DIR]`: the project of a new robot.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "core/app/exit_code.hpp"
#include "core/app/new_project.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {
namespace {

int run_new(const NewProject& project) {
  const auto folder = write_project(project);
  if (!folder) {
    std::fprintf(stderr, "cambium new: %s\n", folder.error().message.c_str());
    return exit_code_of(folder.error().code);
  }
  const std::string path = folder->string();
  std::printf(
      "Wrote %s. Check the limits in %s/plugin.cpp, then:\n"
      "  cmake -S %s -B %s/build && cmake --build %s/build && ctest --test-dir %s/build\n",
      path.c_str(), path.c_str(), path.c_str(), path.c_str(), path.c_str(), path.c_str());
  return kDone;
}

}  // namespace

void add_new(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand("new", "Write the project of a new robot");
  auto project = std::make_shared<NewProject>();
  project->where = ".";
  verb->add_option("name", project->name, "Robot, lower_snake_case")->required();
  verb->add_option("--urdf", project->urdf, "Take joints and limits from this file");
  verb->add_option("--dir", project->where, "Where to make the folder (here)");
  verb->callback([project, &exit_code] { exit_code = run_new(*project); });
}

}  // namespace cambium::app
