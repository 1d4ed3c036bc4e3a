#include "core/check/subject.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "core/config/config.hpp"

namespace cambium::check {
namespace fs = std::filesystem;

const char* to_string(Kind kind) noexcept {
  switch (kind) {
    case Kind::plugin:
      return "plugin";
    case Kind::bundle:
      return "bundle";
    case Kind::stock:
      return "stock";
    case Kind::config:
      return "config";
  }
  return "unknown";
}

const fs::path& Subject::file() const noexcept {
  switch (kind) {
    case Kind::bundle:
      return bundle;
    case Kind::stock:
      return stock;
    case Kind::config:
      return config;
    default:
      return plugin;
  }
}

Result<Kind> kind_of(const fs::path& file) {
  const auto refuse = [&](Code code, std::string_view what) {
    return Error{code, fmt::format("'{}': {}", file.string(), what)};
  };
  std::error_code code;
  const auto status = fs::status(file, code);
  if (!fs::exists(status)) return refuse(Code::not_found, "No such file or directory");
  if (!fs::is_regular_file(status)) return refuse(Code::bad_argument, "not a regular file");
  std::ifstream in(file, std::ios::binary);
  std::string head(64 * 1024, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  if (head.empty() && in.bad()) return refuse(Code::bad_argument, "cannot be read");

  // A .safetensors file begins with the length of a JSON object. The word of its kind is looked for
  // as text, so that a damaged file is still told apart; to open it whole is the checks' work.
  const auto ending = file.extension();
  if (head.starts_with("\x7f"
                       "ELF"))
    return Kind::plugin;
  if ((head.size() > 8 && head[8] == '{') || ending == ".safetensors") {
    if (head.find(R"("cambium.kind":"stock")") != std::string::npos) return Kind::stock;
    if (head.find(R"("cambium.kind":"bundle")") != std::string::npos) return Kind::bundle;
    // With spaces, or far behind the names of many tensors.
    if (const auto at = head.find("\"cambium.kind\""); at != std::string::npos)
      return head.find("stock", at) < head.find("bundle", at) ? Kind::stock : Kind::bundle;
    return refuse(Code::bad_argument,
                  "a .safetensors file whose metadata has no 'cambium.kind' = 'bundle' or 'stock', "
                  "or a damaged one; `cambium pretrain` and `cambium graft` write both");
  }
  if (ending == ".so") return Kind::plugin;
  const bool text = std::ranges::none_of(
      head, [](char c) { return c >= 0 && c < ' ' && std::strchr("\t\n\r", c) == nullptr; });
  if (ending == ".toml" || (text && !head.empty() && config::parse_config(head, file)))
    return Kind::config;
  return refuse(Code::bad_argument,
                "neither a plugin (a shared library), nor a bundle or stock (.safetensors), nor a "
                "configuration (TOML)");
}

std::vector<Subject> named_by(const fs::path& file) {
  const auto config = config::load_config(file);
  if (!config) return {};
  std::vector<Subject> subjects;
  const auto add = [&](Subject subject) {
    subject.trust = config->trust.keys;
    const bool there = std::ranges::any_of(subjects, [&](const Subject& one) {
      return one.kind == subject.kind && one.file() == subject.file() &&
             one.bundle == subject.bundle && one.plugin == subject.plugin;
    });
    if (!there && fs::exists(subject.file())) subjects.push_back(std::move(subject));
  };
  add({.kind = Kind::stock, .stock = config->trunk.stock});
  for (const auto& robot : config->robots) {
    // Its parts alone first: what is wrong with one of them should be said of that file.
    for (const auto& part : {robot.stem_plugin, robot.head_plugin})
      if (!part.empty()) add({.kind = Kind::plugin, .plugin = part, .robot = robot.name});
    Subject whole = {.kind = Kind::plugin,
                     .plugin = robot.plugin,
                     .head_plugin = robot.head_plugin,
                     .stem_plugin = robot.stem_plugin,
                     .bundle = robot.bundle,
                     .stock = config->trunk.stock,
                     .embodiment = robot.embodiment,
                     .head = robot.head,
                     .robot = robot.name};
    add(whole);
    whole.kind = Kind::bundle;
    if (!robot.bundle.empty()) add(whole);
  }
  return subjects;
}

}  // namespace cambium::check
