// core/check/subject.hpp: one file to be judged, with the files that it is tried with.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::check {

enum class Kind : unsigned char { plugin, bundle, stock, config };

/// "plugin", …
const char* to_string(Kind kind) noexcept;

/// The judged file is the one of its kind; the others are its counterparts, empty if not given.
struct Subject {
  Kind kind = Kind::plugin;
  std::filesystem::path plugin, head_plugin, stem_plugin, bundle, stock, config;
  std::string embodiment;                    ///< empty: the bundle's, or the plugin's only one
  std::string head;                          ///< empty: the one that the bundle names
  std::vector<std::filesystem::path> trust;  ///< public keys that must have signed all of them
  std::string robot;                         ///< of a configuration that names the file, for people

  const std::filesystem::path& file() const noexcept;
};

/// What `file` is, told by its content; where that says nothing, by the ending of its name.
/// bad_argument says what was expected. [setup]
Result<Kind> kind_of(const std::filesystem::path& file);

/// Everything that a configuration names: each plugin with its bundle and stock, each bundle with
/// its plugin and stock, and the stock. Empty if the file has mistakes (its own checks tell them).
/// [setup]
std::vector<Subject> named_by(const std::filesystem::path& config);

}  // namespace cambium::check
