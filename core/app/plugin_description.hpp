// core/app/plugin_description.hpp: what a host understands of a plugin, for people and for diffs.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "cambium/result.hpp"

namespace cambium::app {

struct PluginDescription {
  std::string text;
  nlohmann::ordered_json json;
};

/// Opens the library and makes one of everything that it exports, in this process. `run_dir` is
/// where its private copy is made. [setup]
Result<PluginDescription> describe_plugin(const std::filesystem::path& file,
                                          const std::filesystem::path& run_dir);

/// `failed`, naming file and line, at the first line in which `text` differs from `file`. [setup]
Result<void> compare_with(const std::string& text, const std::filesystem::path& file);

}  // namespace cambium::app
