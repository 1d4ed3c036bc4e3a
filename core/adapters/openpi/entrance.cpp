#include "core/adapters/openpi/entrance.hpp"

#include <algorithm>
#include <cctype>

namespace cambium::openpi {
namespace {

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The key of "Api-Key KEY"; empty if it is anything else.
std::string_view key_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "Api-Key ";
  if (!same_word(authorization.substr(0, kScheme.size()), kScheme)) return {};
  return authorization.substr(kScheme.size());
}

// NAME of "?robot=NAME" or "?…&robot=NAME"; other words of the query are somebody else's.
std::string_view robot_of(std::string_view query) {
  constexpr std::string_view kRobot = "robot=";
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view word = query.substr(0, end);
    if (word.starts_with(kRobot)) return word.substr(kRobot.size());
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

}  // namespace

Entry judge(const Call& call, const gateway::Gateway& gateway) {
  const std::size_t mark = std::min(call.target.find('?'), call.target.size());
  const std::string_view path = call.target.substr(0, mark);
  if (call.method != "GET") return {405, "only GET: this is a listener for openpi clients", {}};
  if (path == "/healthz") return {200, "OK", {}};
  // A browser says which page asks. No robot script is a page, and a page that somebody happens to
  // look at must not drive a robot.
  if (!call.origin.empty()) return {403, "web pages may not drive robots", {}};
  if (!call.upgrade && path != "/")
    return {404, "nothing here: GET /healthz, or connect an openpi client to any path", {}};
  if (!call.upgrade)
    return {426, "this is a listener for openpi clients: connect with a WebSocket", {}};
  if (!gateway.token_fits(key_of(call.authorization)))
    return {401,
            call.authorization.empty()
                ? "this listener wants a key: WebsocketClientPolicy(host, port, api_key=…)"
                : "this is not the key of this listener",
            {}};
  const std::string_view query = call.target.substr(std::min(mark + 1, call.target.size()));
  return {kSwitching, {}, std::string(robot_of(query))};
}

}  // namespace cambium::openpi
