// `cambium check plugin.so`: the host's own judgement of a plugin, without a host.
#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cambium/version.hpp"
#include "core/app/describe.hpp"
#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"
#include "core/plugin/plugin_library.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

/// A folder of its own for the plugin's copy; gone with this object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (fs::temp_directory_path() / "cambium.XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

struct Findings {
  std::string text;
  nlohmann::ordered_json json;
};

/// Makes one of everything that the plugin exports.
Result<Findings> examine(const plugin::PluginLibrary& library) {
  Findings found;
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

/// The first line in which `text` differs from `file`.
Result<void> compare(const std::string& text, const fs::path& file) {
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
                    "`cambium check` into that file",
                    file.string(), line, more_expected ? expected : "(the end)",
                    more_said ? actual : "(the end)")};
  }
}

int check(const fs::path& file, const fs::path& expected, bool json) {
  const auto fail = [](const Error& error) {
    std::fprintf(stderr, "cambium check: %s\n", error.message.c_str());
    return static_cast<int>(exit_code_of(error.code));
  };
  const ScratchFolder scratch;
  if (scratch.path().empty())
    return fail({Code::failed, "no folder for the plugin's copy could be made; set TMPDIR"});
  const auto library = plugin::open_library(file, {.run_dir = scratch.path()});
  if (!library) return fail(library.error());
  const auto found = examine(**library);
  if (!found) return fail(found.error());
  if (!expected.empty())
    if (const auto same = compare(found->text, expected); !same) return fail(same.error());
  std::fputs(json ? (found->json.dump(2) + "\n").c_str() : found->text.c_str(), stdout);
  return kDone;
}

}  // namespace

void add_check(CLI::App& program, int& exit_code) {
  struct Arguments {
    fs::path file, expected;
    bool json = false;
  };
  auto* verb = program.add_subcommand("check", "Judge a plugin as the host would");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("plugin", arguments->file, "The shared library")->required();
  verb->add_option("--expect", arguments->expected, "File that must hold exactly what is printed");
  verb->add_flag("--json", arguments->json, "Print JSON");
  verb->callback([arguments, &exit_code] {
    exit_code = check(arguments->file, arguments->expected, arguments->json);
  });
}

}  // namespace cambium::app
