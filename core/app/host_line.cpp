#include "core/app/host_line.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/base/nearest.hpp"
#include "core/config/config.hpp"

namespace cambium::app {
namespace {

constexpr base::Nanoseconds kStatusTimeout = 2 * base::kSecond;

}  // namespace

void add_host_options(CLI::App& verb, HostOptions& options) {
  const char* group = "Host";
  verb.add_option("-c,--config", options.config, "Configuration file that names the admin endpoint")
      ->capture_default_str()
      ->group(group);
  verb.add_option("--admin", options.admin, "Admin endpoint of the host, instead of --config")
      ->group(group);
  verb.add_option("--key", options.keys.key,
                  "Own secret key for a tcp endpoint, instead of --config")
      ->group(group);
  verb.add_option("--host-key", options.keys.server, "Public key of the host, instead of --config")
      ->group(group);
}

Result<HostLine> HostLine::open(HostOptions options) {
  HostLine line;
  line.endpoint_ = options.admin;
  if (line.endpoint_.empty()) {
    const auto config = config::load_config(options.config);
    if (!config) return config.error();
    line.endpoint_ = config->host.admin;
    if (options.keys.key.empty()) options.keys.key = config->security.key;
    if (options.keys.server.empty()) options.keys.server = config->security.host_key;
  }
  auto keyring = transport::Keyring::open(options.keys);
  if (!keyring) return keyring.error();
  line.keyring_ = std::move(*keyring);
  return line;
}

Result<runtime::AdminAnswer> HostLine::ask(const runtime::AdminCall& call,
                                           base::Nanoseconds timeout) const {
  auto answer = runtime::ask_admin(endpoint_, call, timeout, keyring_.get());
  if (answer && answer->code != Code::ok) return Error{answer->code, answer->text};
  return answer;
}

Result<nlohmann::json> HostLine::read(const runtime::AdminCall& call,
                                      base::Nanoseconds timeout) const {
  const auto answer = runtime::ask_admin(endpoint_, call, timeout, keyring_.get());
  if (!answer) return answer.error();
  auto object = nlohmann::json::parse(answer->json, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Error{Code::bad_data, "the host's answer is not JSON"};
  return object;
}

Result<nlohmann::json> HostLine::status() const {
  auto status = read({.verb = "status"}, kStatusTimeout);
  if (!status) return status;
  const auto robots = status->find("robots"), trunk = status->find("trunk");
  if (robots == status->end() || !robots->is_array() || trunk == status->end() ||
      !trunk->is_object())
    return Error{Code::bad_data, "the host's status has no robots or no trunk"};
  return status;
}

Result<nlohmann::json> find_robot(const nlohmann::json& status, const std::string& robot) {
  std::vector<std::string> names;
  for (const auto& one : status["robots"]) {
    if (!one.is_object()) continue;
    names.push_back(one.value("name", ""));
    if (names.back() == robot) return one;
  }
  return Error{Code::not_found, "no robot '" + robot + "'" + base::did_you_mean(robot, names)};
}

}  // namespace cambium::app
