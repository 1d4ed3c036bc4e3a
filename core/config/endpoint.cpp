#include "core/config/endpoint.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <charconv>
#include <cstdint>
#include <optional>

#include "core/base/loopback.hpp"

namespace cambium::config {
namespace {

constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

std::optional<std::uint32_t> number(std::string_view digits, std::uint32_t max) {
  std::uint32_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || error != std::errc{} || stop != end || value > max) return std::nullopt;
  return value;
}

// A name, an interface, "*", or an IPv6 address in brackets. ZeroMQ gives ';' and others a meaning
// of its own.
bool is_address(std::string_view host) {
  if (host == "*") return true;
  constexpr std::string_view kName =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  const bool six = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (six) host = host.substr(1, host.size() - 2);
  return !host.empty() &&
         host.find_first_not_of(six ? "0123456789abcdefABCDEF:." : kName) == host.npos;
}

Error refuse(std::string_view text, const std::string& why) {
  return Error{Code::bad_argument, "'" + std::string(text) + "' " + why};
}

Result<std::string> checked_ipc(std::string_view text, const std::filesystem::path& path,
                                const std::filesystem::path& base) {
  const std::string absolute = (base / path).lexically_normal().string();
  if (absolute.size() > kLongestPath)
    return refuse(text, "is a path of " + std::to_string(absolute.size()) + " bytes ('" + absolute +
                            "'); a socket's path has at most " + std::to_string(kLongestPath));
  return "ipc://" + absolute;
}

}  // namespace

Result<std::string> checked_endpoint(std::string_view text, const std::filesystem::path& base,
                                     Reach reach) {
  constexpr std::string_view kIpc = "ipc://", kTcp = "tcp://";
  if (text.starts_with(kIpc)) {
    const std::string_view path = text.substr(kIpc.size());
    if (path.empty() || path.ends_with('/'))
      return refuse(text, "names no file, expected ipc://PATH");
    // Abstract names have no owner and no permissions; '*' would pick a path nobody can know.
    if (path[0] == '@' || path[0] == '*')
      return refuse(text, "is not a path, expected ipc://PATH of a file");
    return checked_ipc(text, std::filesystem::path(path), base);
  }
  if (text.starts_with(kTcp)) {
    const std::string_view address = text.substr(kTcp.size());
    const std::size_t colon = address.rfind(':');
    const auto port =
        colon == std::string_view::npos ? std::nullopt : number(address.substr(colon + 1), 65535);
    if (!port || *port == 0)
      return refuse(text, "has no port from 1 to 65535, expected tcp://127.0.0.1:PORT");
    const std::string_view host = address.substr(0, colon);
    const std::string tail = ":" + std::to_string(*port);
    if (host == "localhost") return "tcp://127.0.0.1" + tail;
    if (base::is_loopback(host)) return "tcp://" + std::string(host) + tail;
    if (reach == Reach::loopback)
      return refuse(text,
                    "is not loopback: what others can reach needs keys; 'cambium keys new NAME' "
                    "makes them, [security] names them");
    if (is_address(host)) return "tcp://" + std::string(host) + tail;
    return refuse(text, "has no address, expected tcp://ADDRESS:PORT");
  }
  return refuse(text, "is no endpoint, expected ipc://PATH or tcp://127.0.0.1:PORT");
}

Result<ListenerEndpoint> checked_listener_endpoint(std::string_view text,
                                                   const std::filesystem::path& base) {
  constexpr std::string_view kTcp = "tcp://";
  if (!text.starts_with(kTcp)) {
    auto checked = checked_endpoint(text, base);
    if (!checked) return checked.error();
    return ListenerEndpoint{std::move(*checked)};
  }
  const std::string_view address = text.substr(kTcp.size());
  const std::size_t colon = address.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : number(address.substr(colon + 1), 65535);
  if (!port) return refuse(text, "has no port from 0 to 65535, expected tcp://127.0.0.1:PORT");
  std::string host(address.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  if (host == "*") host = "0.0.0.0";
  in6_addr parsed{};
  const bool six = host.size() > 2 && host.front() == '[' && host.back() == ']' &&
                   ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &parsed) == 1;
  if (!six && ::inet_pton(AF_INET, host.c_str(), &parsed) != 1)
    return refuse(text, "has no address of numbers, expected tcp://127.0.0.1:PORT");
  return ListenerEndpoint{"tcp://" + host + ":" + std::to_string(*port),
                          !base::is_loopback(host)};
}

Result<std::string> ipc_endpoint(const std::filesystem::path& directory, std::string_view name) {
  return checked_endpoint("ipc://" + (directory / name).string(), directory);
}

}  // namespace cambium::config
