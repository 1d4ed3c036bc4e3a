// core/app/host_line.hpp: a running host, as a verb finds and asks it.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/runtime/admin_desk.hpp"
#include "core/transport/keyring.hpp"

namespace CLI {
class App;
}

namespace cambium::app {

/// Which host, and who asks.
struct HostOptions {
  std::string config = "cambium.toml", admin;
  transport::KeyFiles keys;
};

/// --config, --admin, --key, --host-key. Borrows `options`.
void add_host_options(CLI::App& verb, HostOptions& options);

/// Threads    One at a time.
class HostLine {
 public:
  /// Reads configuration and keys; does not look for the host. [setup]
  static Result<HostLine> open(HostOptions options);

  /// What it answers; its refusal is an error. [setup]
  Result<runtime::AdminAnswer> ask(const runtime::AdminCall& call, base::Nanoseconds timeout) const;
  /// The answer's JSON, which is an object; of a refusal too. [setup]
  Result<nlohmann::json> read(const runtime::AdminCall& call, base::Nanoseconds timeout) const;
  /// `status`. [setup]
  Result<nlohmann::json> status() const;

 private:
  std::string endpoint_;
  std::unique_ptr<transport::Keyring> keyring_;
};

/// Of a status: the robot, or not_found with the nearest. [any]
Result<nlohmann::json> find_robot(const nlohmann::json& status, const std::string& robot);

}  // namespace cambium::app
