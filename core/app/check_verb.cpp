// `cambium check FILE`: becomes the program that judges, core/app/check_main.cpp.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

/// Returns only if it could not be run.
int become_checker(std::vector<std::string> arguments) {
  std::error_code ignored;
  fs::path program = fs::read_symlink("/proc/self/exe", ignored).replace_filename("cambium_check");
  std::string name = program.string();
  std::vector<char*> argv = {name.data()};
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(name.c_str(), argv.data());
  const int error = errno;
  if (error == ENOENT)
    fmt::print(stderr,
               "cambium check: '{}' is missing: it does the checking and belongs beside the "
               "program 'cambium'; install both\n",
               name);
  else
    fmt::print(stderr, "cambium check: '{}' cannot be run: {}\n", name, std::strerror(error));
  return kFailed;
}

}  // namespace

void add_check(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "check", "Judge a plugin, a bundle, a stock or a configuration with all that it names");
  verb->set_help_flag();  // its options, --help among them, are the checker's
  verb->prefix_command();
  verb->callback([verb, &exit_code] { exit_code = become_checker(verb->remaining()); });
}

}  // namespace cambium::app
