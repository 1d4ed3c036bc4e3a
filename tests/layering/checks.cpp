#include "tests/layering/checks.hpp"

#include <algorithm>
#include <regex>
#include <sstream>

#include "tests/layering/rules.hpp"

namespace cambium::layering {
namespace {

bool lies_in(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// The folder that an include leads to, or empty if it is no file of this project.
std::string resolved(const std::string& header) {
  if (header.starts_with("cambium/") || header.starts_with("abi/")) return "interfaces/" + header;
  for (const char* top : {"core/", "stems/", "heads/", "plugins/", "examples/", "tests/", "bench/",
                          "interfaces/", "wire/"})
    if (header.starts_with(top)) return header;
  return "";
}

const Room* room_of(std::string_view path) {
  const Room* best = nullptr;
  for (const Room& room : kRooms)
    if (lies_in(path, room.folder) && (!best || room.folder.size() > best->folder.size()))
      best = &room;
  return best;
}

bool any_holds(const Names& folders, std::string_view path) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](std::string_view folder) { return lies_in(path, folder); });
}

std::string joined(const Names& names) {
  std::string text;
  for (const auto name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace

std::vector<std::string> check_includes(const std::string& path, std::string_view text) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<std::string> findings;
  const Room* room = room_of(path);
  if (room == nullptr) return {path + ":1: lies in no room; add its folder to kRooms"};
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::smatch match;
    if (!std::regex_search(line, match, kInclude)) continue;
    const std::string header = match[2];
    const std::string at = path + ":" + std::to_string(number) + ": includes " + header + "; ";
    if (const std::string target = resolved(header); !target.empty()) {
      if (!lies_in(target, room->folder) && !any_holds(room->may_include, target))
        findings.push_back(
            at + std::string(room->folder) + " may include itself" +
            (room->may_include.empty() ? " alone" : " and " + joined(room->may_include)));
    } else if (match[1] == "\"") {
      findings.push_back(at + "name it from the root of the project");
    }
    for (const Door& door : kDoors)
      if (header.starts_with(door.header) && !any_holds(door.folders, path) &&
          !any_holds(kEveryDoor, path))
        findings.push_back(at + std::string(door.header) + " belongs behind " +
                           joined(door.folders));
  }
  return findings;
}

std::vector<std::string> check_thread_tags(const std::string& path, std::string_view text) {
  static const std::regex kTag(R"(\[(setup|loop|io|any)\b[^\]]*\])");
  static const std::regex kVirtual(R"(^\s*virtual\s+(?!~)[^(]*?(\w+)\()");
  std::vector<std::string> findings;
  std::istringstream lines{std::string(text)};
  std::string line, comment;
  bool is_public = false;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto first = line.find_first_not_of(' ');
    const std::string_view code =
        first == std::string::npos ? std::string_view{} : std::string_view(line).substr(first);
    if (code.starts_with("class ")) is_public = false;
    if (code.starts_with("struct ") || code.starts_with("public:")) is_public = true;
    if (code.starts_with("protected:") || code.starts_with("private:")) is_public = false;
    std::smatch match;
    if (code.starts_with("///")) {
      comment += code.substr(3);
    } else {
      if (is_public && std::regex_search(line, match, kVirtual) &&
          !std::regex_search(comment, kTag))
        findings.push_back(path + ":" + std::to_string(number) + ": " + match[1].str() +
                           "() does not say who may call it; end its comment with [setup], "
                           "[loop], [io] or [any]");
      comment.clear();
    }
  }
  return findings;
}

std::vector<std::string> virtual_functions(std::string_view text) {
  static const std::regex kClass(R"(^class (\w+))");
  static const std::regex kVirtual(R"(^\s*virtual\s+[^(]*?(~?\w+)\()");
  std::vector<std::string> functions;
  std::istringstream lines{std::string(text)};
  std::string line, owner;
  while (std::getline(lines, line)) {
    std::smatch match;
    if (std::regex_search(line, match, kClass)) owner = match[1];
    if (std::regex_search(line, match, kVirtual))
      functions.push_back(owner + "::" + match[1].str());
  }
  return functions;
}

}  // namespace cambium::layering
