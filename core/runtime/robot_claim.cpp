#include "core/runtime/robot_claim.hpp"

#include <algorithm>
#include <filesystem>

#include "core/config/run_dir.hpp"

namespace cambium::runtime {

Result<std::optional<base::FileLock>> claim_robot(const config::Config& config,
                                                  const std::string& robot) {
  const std::string& trunk = config.trunk.endpoint;
  constexpr std::string_view kIpc = "ipc://";
  if (trunk.starts_with("inproc://")) return std::optional<base::FileLock>();
  std::filesystem::path socket;
  if (trunk.starts_with(kIpc)) {
    socket = trunk.substr(kIpc.size());
  } else {
    auto folder = config::default_run_dir();
    if (!folder) return folder.error();
    std::string name = trunk;
    std::replace(name.begin(), name.end(), '/', '_');
    socket = *folder / name;
  }
  socket += ".robot-" + robot + ".lock";
  auto claimed = base::FileLock::take(socket);
  if (claimed) return std::optional(std::move(*claimed));
  if (claimed.error().code == Code::busy) {
    return Error{Code::busy, "robot '" + robot + "' is run by another host of the trunk at '" +
                                 trunk + "' ('" + socket.string() +
                                 "'); give one of the two another name"};
  }
  return Error{claimed.error().code, "robot '" + robot + "' cannot be claimed, '" +
                                         socket.string() + "': " + claimed.error().message};
}

}  // namespace cambium::runtime
