// bench/clients/rig.hpp: a trunk and a host with sixteen robots of two arms and three cameras, and
// a listener of every protocol.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/clients/protocol.hpp"
#include "bench/folder.hpp"
#include "bench/process.hpp"
#include "cambium/result.hpp"

namespace cambium::bench {

struct ClientRigOptions {
  std::filesystem::path program;  ///< `cambium`
  std::filesystem::path stock;
  std::filesystem::path plugin;  ///< libbench_bimanual.so
  int robots = 16;
};

/// A policy for these robots on this stock, whose actions are `speed` at most. [setup]
Result<void> write_arms_bundle(const std::filesystem::path& file,
                               const std::filesystem::path& stock, float speed);

class ClientRig {
 public:
  /// Writes what is needed, starts both processes, returns when the host answers. [setup]
  static Result<std::unique_ptr<ClientRig>> start(const ClientRigOptions& options);

  static std::string robot(int number) { return "arms" + std::to_string(number); }
  /// Where clients of a protocol connect: to drive the robot with the number of the protocol, or
  /// any of all.
  const std::string& endpoint_of_one(std::size_t protocol) const { return one_[protocol]; }
  const std::string& endpoint_of_many(std::size_t protocol) const { return many_[protocol]; }
  /// As if it had crashed.
  void kill_trunk() { trunk_->kill(); }
  std::string admin() const { return folder_.ipc("admin"); }
  const std::filesystem::path& folder() const { return folder_.path; }

 private:
  explicit ClientRig(const ClientRigOptions& options) : options_(options) {}
  void write_config() const;
  Result<void> wait_until_up();
  void read_endpoints(const nlohmann::json& status);

  ClientRigOptions options_;
  Folder folder_;
  std::vector<std::string> one_, many_;
  std::unique_ptr<Process> trunk_, host_;  // before the folder goes
};

}  // namespace cambium::bench
