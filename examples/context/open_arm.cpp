#include "examples/context/open_arm.hpp"

#include <unistd.h>

#include <filesystem>
#include <string>

namespace cambium::context {

namespace fs = std::filesystem;

Result<std::shared_ptr<const plugin::PluginLibrary>> open_arm() {
  std::error_code error;
  const fs::path prefix = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
  for (const char* folder : {"lib", "lib/cambium"}) {
    const fs::path file = prefix / folder / "libcontext_arm.so";
    if (!fs::exists(file, error)) continue;
    const fs::path run_dir =
        fs::temp_directory_path() / ("cambium-context-" + std::to_string(::getpid()));
    auto library = plugin::open_library(file, {.run_dir = run_dir});
    fs::remove(run_dir, error);  // the private copy is gone already, so the folder is empty
    return library;
  }
  return Error{Code::not_found, (prefix / "lib" / "libcontext_arm.so").string() +
                                    ": no such file; build the plugin 'context_arm'"};
}

}  // namespace cambium::context
