// `cambium bench transfer`: becomes the program that measures, bench/transfer/main.cpp.
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

#include "core/app/bench_trunk_verbs.hpp"
#include "core/app/exit_code.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

/// Returns only if it could not be run.
int become_bench(std::vector<std::string> arguments) {
  std::error_code ignored;
  const fs::path program =
      fs::read_symlink("/proc/self/exe", ignored).replace_filename("cambium-bench-transfer");
  std::string name = program.string();
  std::vector<char*> argv = {name.data()};
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(name.c_str(), argv.data());
  const int error = errno;
  if (error == ENOENT)
    fmt::print(stderr,
               "cambium bench transfer: '{}' is missing: it simulates the arms, and is built "
               "beside the program 'cambium' where MuJoCo is (CAMBIUM_MUJOCO=ON)\n",
               name);
  else
    fmt::print(stderr, "cambium bench transfer: '{}' cannot be run: {}\n", name,
               std::strerror(error));
  return kFailed;
}

}  // namespace

void add_bench_transfer(CLI::App& bench, int& exit_code) {
  auto* verb = bench.add_subcommand(
      "transfer",
      "New bodies on a frozen stock, against training from scratch and what lies between.");
  verb->set_help_flag();  // its options, --help among them, are the other program's
  verb->prefix_command();
  verb->callback([verb, &exit_code] { exit_code = become_bench(verb->remaining()); });
}

}  // namespace cambium::app
