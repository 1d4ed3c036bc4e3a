#include "core/app/plugin_description.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "cambium/version.hpp"
#include "core/app/describe.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

Result<PluginDescription> examine(const plugin::PluginLibrary& library) {
  PluginDescription found;
  found.text = fmt::format("plugin {} {}\n", library.name(), library.version());
  found.json = {{"plugin", library.name()},
                {"version", library.version()},
                {"build", library.build()},
                {"sha256", library.sha256()},
                {"exports", nlohmann::json::array()}};
  for (const auto& [interface_id, name] : library.exports()) {
    found.json["exports"].push_back({{"interface", interface_id}, {"name", name}});
    if (interface_id == kEmbodimentInterface) {
      const auto embodiment = library.embodiment(name);
      if (!embodiment) return embodiment.error();
      found.text += describe(*embodiment);
    } else if (interface_id == kStemInterface) {
      if (const auto stem = library.create_stem(name); !stem) return stem.error();
      found.text += fmt::format("stem {}\n", name);
    } else if (interface_id == kHeadInterface) {
      if (const auto head = library.create_head(name); !head) return head.error();
      found.text += fmt::format("head {}\n", name);
    } else {
      found.text += fmt::format("{} {} (unknown to this host)\n", interface_id, name);
    }
  }
  return found;
}

}  // namespace

Result<PluginDescription> describe_plugin(const fs::path& file, const fs::path& run_dir) {
  const auto library = plugin::open_library(file, {.run_dir = run_dir});
  if (!library) return library.error();
  return examine(**library);
}

Result<void> compare_with(const std::string& text, const fs::path& file) {
  std::ifstream in(file);
  if (!in) return Error{Code::bad_argument, fmt::format("'{}' cannot be read", file.string())};
  std::istringstream said(text);
  std::string expected, actual;
  for (int line = 1;; ++line) {
    const bool more_expected = static_cast<bool>(std::getline(in, expected));
    const bool more_said = static_cast<bool>(std::getline(said, actual));
    if (!more_expected && !more_said) return {};
    if (more_expected && more_said && expected == actual) continue;
    return Error{
        Code::failed,
        fmt::format("{}:{}: expected '{}', but the plugin says '{}'; if it is right, write "
                    "`cambium check --describe` into that file",
                    file.string(), line, more_expected ? expected : "(the end)",
                    more_said ? actual : "(the end)")};
  }
}

}  // namespace cambium::app
