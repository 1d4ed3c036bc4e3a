#include "core/app/become.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/app/exit_code.hpp"

namespace cambium::app {

int become(std::string_view verb, std::string_view name, std::vector<std::string> arguments,
           std::string_view missing) {
  std::error_code ignored;
  std::string program =
      std::filesystem::read_symlink("/proc/self/exe", ignored).replace_filename(name).string();
  std::vector<char*> argv = {program.data()};
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  const int error = errno;
  if (error == ENOENT)
    fmt::print(stderr, "{}: '{}' is missing: {}\n", verb, program, missing);
  else
    fmt::print(stderr, "{}: '{}' cannot be run: {}\n", verb, program, std::strerror(error));
  return kFailed;
}

}  // namespace cambium::app
