#include "core/transport/allow_file.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/base/file_lock.hpp"
#include "core/base/nearest.hpp"
#include "core/base/session_name.hpp"

namespace cambium::transport {
namespace {

constexpr std::uintmax_t kLargestFile = 1 << 20;

struct NamedRole {
  const char* name;
  Roles role;
};
constexpr NamedRole kRoles[] = {{"controller", kController}, {"host", kHost}, {"admin", kAdmin}};

std::optional<Roles> role_of(std::string_view name) {
  for (const auto& role : kRoles)
    if (name == role.name) return role.role;
  return std::nullopt;
}

Error wrong(const std::filesystem::path& file, std::size_t line, const std::string& why) {
  return {Code::bad_data, file.string() + ":" + std::to_string(line) + ": " + why};
}

Result<AllowedKey> parse_line(const std::filesystem::path& file, std::size_t number,
                              const std::string& line) {
  std::istringstream words(line);
  std::string name, key, roles, more;
  words >> name >> key >> roles >> more;
  if (!base::is_session_name(name))
    return wrong(file, number,
                 "'" + name.substr(0, 80) + "' is no name for a key, expected NAME KEY ROLE,…");
  // What follows a name may be a secret by mistake: it is never repeated.
  if (key == "secret")
    return wrong(file, number, "'" + name + "' is a secret key; NAME.pub holds the public one");
  const auto parsed = base::PublicKey::parse(key);
  if (!parsed) return wrong(file, number, "the key of '" + name + "' is not 40 digits of Z85");
  const auto allowed = parse_roles(roles);
  if (!allowed || !more.empty()) {
    std::vector<std::string> names;
    for (const auto& role : kRoles) names.emplace_back(role.name);
    return wrong(file, number,
                 "'" + name + "' is '" + roles.substr(0, 80) +
                     "', expected one or more of controller,host,admin" +
                     base::did_you_mean(roles.substr(0, 80), names));
  }
  return AllowedKey{name, *parsed, *allowed};
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// In one step: a process that looks every moment never finds half of it.
Result<void> replace(const std::filesystem::path& file, const std::string& text) {
  auto beside = file;
  beside += ".new";
  std::error_code failed;
  std::filesystem::remove(beside, failed);  // of a command that was killed
  if (auto written = base::write_new_file(beside, text, 0644); !written) return written.error();
  std::filesystem::rename(beside, file, failed);
  if (!failed) return {};
  std::error_code ignored;
  std::filesystem::remove(beside, ignored);
  return Error{Code::failed, "list of allowed keys '" + file.string() + "': " + failed.message()};
}

// Of those who change the list, one at a time.
Result<base::FileLock> lock(const std::filesystem::path& file) {
  auto beside = file;
  beside += ".lock";
  auto taken = base::FileLock::take(beside);
  if (!taken)
    return Error{taken.error().code, "list of allowed keys '" + file.string() + "': '" +
                                         beside.string() + "': " + taken.error().message};
  return taken;
}

}  // namespace

std::string to_text(Roles roles) {
  std::string text;
  for (const auto& role : kRoles)
    if ((roles & role.role) != 0) text += (text.empty() ? "" : ",") + std::string(role.name);
  return text;
}

std::optional<Roles> parse_roles(std::string_view text) {
  Roles roles = 0;
  for (;;) {
    const std::size_t end = std::min(text.find(','), text.size());
    const auto role = role_of(text.substr(0, end));
    if (!role) return std::nullopt;
    roles |= *role;
    if (end == text.size()) return roles;
    text.remove_prefix(end + 1);
  }
}

Result<std::vector<AllowedKey>> read_allow_file(const std::filesystem::path& file) {
  struct stat about = {};
  if (::stat(file.c_str(), &about) != 0)
    return Error{errno == ENOENT ? Code::not_found : Code::failed,
                 "list of allowed keys '" + file.string() + "': " + std::strerror(errno)};
  if ((about.st_mode & 022) != 0)
    return Error{Code::bad_argument, "list of allowed keys '" + file.string() +
                                         "': others can write to it; chmod go-w it"};
  if (!S_ISREG(about.st_mode) || static_cast<std::uintmax_t>(about.st_size) > kLargestFile)
    return Error{Code::bad_argument,
                 "list of allowed keys '" + file.string() + "': is no file of at most 1 MB"};
  std::ifstream in(file);
  if (!in)
    return Error{Code::failed,
                 "list of allowed keys '" + file.string() + "': " + std::strerror(errno)};
  std::vector<AllowedKey> keys;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    auto key = parse_line(file, number, line);
    if (!key) return key.error();
    for (const auto& other : keys) {
      if (other.name == key->name)
        return wrong(file, number, "'" + key->name + "' stands there twice");
      if (other.key == key->key)
        return wrong(file, number, "'" + key->name + "' has the key of '" + other.name + "'");
    }
    if (keys.size() == kMostAllowed)
      return wrong(file, number,
                   "one key too many, expected at most " + std::to_string(kMostAllowed));
    keys.push_back(std::move(*key));
  }
  if (in.bad()) return wrong(file, 0, "cannot be read");
  return keys;
}

Result<void> allow_key(const std::filesystem::path& file, const base::NamedKey& key, Roles roles) {
  const auto locked = lock(file);
  if (!locked) return locked.error();
  std::string text = "# Keys that may connect: NAME KEY ROLE,…  roles: controller, host, admin.\n";
  if (std::error_code ignored; std::filesystem::exists(file, ignored)) {
    const auto keys = read_allow_file(file);
    if (!keys) return keys.error();
    for (const auto& other : *keys)
      if (other.name == key.name || other.key == key.key)
        return Error{Code::bad_argument, "'" + other.name + "' is allowed already, as " +
                                             to_text(other.roles) +
                                             "; revoke it first to change that"};
    text = text_of(file);
    if (!text.empty() && text.back() != '\n') text += '\n';
  }
  return replace(file, text + key.name + " " + key.key.text() + " " + to_text(roles) + "\n");
}

Result<void> revoke_key(const std::filesystem::path& file, const std::string& name) {
  const auto locked = lock(file);
  if (!locked) return locked.error();
  const auto keys = read_allow_file(file);
  if (!keys) return keys.error();
  std::istringstream lines(text_of(file));
  std::string text, line, first;
  bool found = false;
  while (std::getline(lines, line)) {
    const bool its = std::istringstream(line) >> first && first == name;
    found = found || its;
    if (!its) text += line + "\n";
  }
  if (found) return replace(file, text);
  std::vector<std::string> names;
  for (const auto& key : *keys) names.push_back(key.name);
  return Error{Code::not_found, "list of allowed keys '" + file.string() + "': no key '" + name +
                                    "'" + base::did_you_mean(name, names)};
}

}  // namespace cambium::transport
