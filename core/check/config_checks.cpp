// A configuration: what it says, the files it names, the addresses it wants.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "core/base/mapped_file.hpp"
#include "core/base/trust.hpp"
#include "core/check/check.hpp"
#include "core/config/config.hpp"

namespace cambium::check {
namespace {

namespace fs = std::filesystem;

Finding says_what_it_means(Context& c) {
  const auto config = need(config::load_config(c.subject().config));
  return pass(
      fmt::format("{} robot{}", config.robots.size(), config.robots.size() == 1 ? "" : "s"));
}

Finding files_are_there(Context& c) {
  const auto config = need(config::load_config(c.subject().config));
  std::string missing;
  const auto look = [&](const fs::path& file, const std::string& whose) {
    std::error_code ignored;
    if (file.empty() || fs::is_regular_file(file, ignored)) return;
    missing +=
        fmt::format("{}{} '{}' is no file", missing.empty() ? "" : "; ", whose, file.string());
  };
  look(config.trunk.stock, "[trunk] stock");
  for (const auto& robot : config.robots) {
    const auto of = "robot '" + robot.name + "': ";
    look(robot.plugin, of + "plugin");
    look(robot.stem_plugin, of + "stem_plugin");
    look(robot.head_plugin, of + "head_plugin");
    look(robot.bundle, of + "bundle");
  }
  for (const auto& listener : config.listeners)
    look(listener.token_file, fmt::format("[[listener]] of line {}: token_file", listener.line));
  return missing.empty() ? pass() : fail(missing);
}

Finding files_are_signed(Context& c) {
  const auto config = need(config::load_config(c.subject().config));
  const auto trust = need(base::Trust::read(config.trust.keys));
  if (!trust.any()) return pass("anybody's: no [trust] keys");
  std::string refused;
  const auto look = [&](const fs::path& file, base::FileKind kind) {
    std::error_code ignored;
    if (file.empty() || !fs::is_regular_file(file, ignored)) return;  // told by another check
    c.doing("looking at the signature of '" + file.string() + "'");
    const auto whole = need(base::MappedFile::open(file));
    if (const auto fine = trust.of(kind)(file, whole.bytes()); !fine)
      refused += (refused.empty() ? "" : "; ") + fine.error().message;
  };
  look(config.trunk.stock, base::FileKind::stock);
  for (const auto& robot : config.robots) {
    for (const auto& plugin : {robot.plugin, robot.stem_plugin, robot.head_plugin})
      look(plugin, base::FileKind::plugin);
    look(robot.bundle, base::FileKind::bundle);
  }
  return refused.empty() ? pass() : fail(refused);
}

/// Whether somebody accepts connections there. Nothing is bound: a process that starts beside this
/// one must not find its own address taken by a check.
bool somebody_answers(const sockaddr* address, socklen_t size) {
  const int socket = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  const bool connected = ::connect(socket, address, size) == 0 || errno == EAGAIN;
  bool answered = connected;
  if (!connected && errno == EINPROGRESS) {  // loopback: decided at once, but by another thread
    fd_set write;
    FD_ZERO(&write);
    FD_SET(socket, &write);
    timeval limit = {.tv_sec = 0, .tv_usec = 200'000};
    int error = 1;
    socklen_t length = sizeof error;
    answered = ::select(socket + 1, nullptr, &write, nullptr, &limit) == 1 &&
               ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
  }
  ::close(socket);
  return answered;
}

bool is_taken(const std::string& endpoint) {
  if (endpoint.starts_with("ipc://")) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    endpoint.copy(address.sun_path, sizeof address.sun_path - 1, std::strlen("ipc://"));
    return somebody_answers(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  // The configuration has let nothing through but addresses of numbers, and ports.
  const auto colon = endpoint.rfind(':');
  const auto port = static_cast<std::uint16_t>(std::stoul(endpoint.substr(colon + 1)));
  if (endpoint.find('[') != std::string::npos) {
    sockaddr_in6 address = {};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    const auto from = endpoint.find('[') + 1;
    ::inet_pton(AF_INET6, endpoint.substr(from, endpoint.find(']') - from).c_str(),
                &address.sin6_addr);
    return somebody_answers(reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const auto host = endpoint.substr(std::strlen("tcp://"), colon - std::strlen("tcp://"));
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return somebody_answers(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

Finding endpoints_are_free(Context& c) {
  const auto config = need(config::load_config(c.subject().config));
  Remarks remarks;
  std::vector<std::pair<const char*, const std::string*>> endpoints = {
      {"[trunk] endpoint", &config.trunk.endpoint},
      {"[host] control", &config.host.control},
      {"[host] admin", &config.host.admin}};
  for (const auto& listener : config.listeners)
    if (!listener.endpoint.ends_with(":0"))
      endpoints.emplace_back("[[listener]] endpoint", &listener.endpoint);
  for (const auto& [key, endpoint] : endpoints) {
    c.doing(fmt::format("looking at {} '{}'", key, *endpoint));
    if (endpoint->starts_with("ipc://")) {
      const auto folder = fs::path(endpoint->substr(std::strlen("ipc://"))).parent_path();
      std::error_code ignored;
      if (folder != config.host.run_dir && !fs::is_directory(folder, ignored))
        return fail(fmt::format("{} '{}': its folder does not exist; make it", key, *endpoint));
    }
    if (is_taken(*endpoint))
      remarks.add(fmt::format("{} '{}': a process answers there; a second one will be refused", key,
                              *endpoint));
  }
  return std::move(remarks).finding();
}

constexpr const char* kReads = "has no mistakes";
constexpr Check kChecks[] = {
    {kReads, says_what_it_means},
    {"files that it names are there", files_are_there, {}, kReads},
    {"files that it names are signed", files_are_signed, {}, kReads},
    {"endpoints are free", endpoints_are_free, {}, kReads},
};

}  // namespace

std::span<const Check> config_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
