// bench/rig.hpp: a trunk, a host and its robots as they run in a lab: real processes, real
// sockets.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/arm_files.hpp"
#include "bench/folder.hpp"
#include "bench/process.hpp"
#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/nn/stock.hpp"
#include "core/runtime/admin_desk.hpp"

namespace cambium::bench {

/// Waits that long; true as soon as the measurement is to end early.
using Wait = std::function<bool(base::Nanoseconds)>;

struct RigOptions {
  std::filesystem::path program;  ///< `cambium`
  std::filesystem::path stock;
  std::filesystem::path plugins;  ///< folder with the bench's libraries
  int robots = 4;                 ///< at 200 Hz, beside one at 500 Hz
  bool supervised = false;        ///< by `cambium up`; else trunk and host are our own processes
  bool isolated = false;          ///< every second robot in a process of its own
};

/// A robot of the rig and the files that belong to it alone, so that each can be rebuilt under it.
struct RigRobot {
  std::string name;
  ArmBody body;
  bool isolated = false;
  std::filesystem::path folder;

  std::filesystem::path arm() const { return folder / "libbench_arm.so"; }
  std::filesystem::path head() const { return folder / "libbench_head.so"; }
  std::filesystem::path stems() const { return folder / "libbench_stems.so"; }
  /// `variant` 0 or 1: two bundles of one body that differ in every weight.
  std::filesystem::path bundle(const ArmBody& of, int variant) const {
    return folder / (of.name() + "_" + std::to_string(variant) + ".safetensors");
  }
};

class Rig {
 public:
  /// Writes what is needed and starts the trunk and the host; returns when the host answers. Ends
  /// early with `failed` if `wait` says so. [setup]
  static Result<std::unique_ptr<Rig>> start(const RigOptions& options, const Wait& wait);

  /// One question to the host; a swap is answered when its probation is over. [setup]
  Result<nlohmann::json> ask(const runtime::AdminCall& call,
                             base::Nanoseconds timeout = base::kSecond * 60) const;
  Result<nlohmann::json> status() const { return ask({.verb = "status"}, 2 * base::kSecond); }

  std::string control() const { return folder_.ipc("control"); }
  std::string admin() const { return folder_.ipc("admin"); }
  std::string trunk() const { return folder_.ipc("trunk"); }
  const std::filesystem::path& folder() const { return folder_.path; }
  const RigOptions& options() const { return options_; }
  const std::vector<RigRobot>& robots() const { return robots_; }
  /// Process ids; -1 if it is not there just now. [setup]
  pid_t trunk_process() const;
  pid_t host_process() const;
  /// Where a robot's stems and head run. Empty if they run in the host. [setup]
  std::vector<pid_t> policy_processes(const RigRobot& robot) const;

 private:
  explicit Rig(const RigOptions& options) : options_(options) {}
  Result<void> write_files();
  void write_config() const;
  Result<void> wait_until_up(const Wait& wait);
  pid_t process(const char* verb) const;

  RigOptions options_;
  Folder folder_;
  std::vector<RigRobot> robots_;
  // Before the folder goes.
  std::vector<std::pair<std::string, std::unique_ptr<Process>>> processes_;
};

}  // namespace cambium::bench
