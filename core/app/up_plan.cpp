#include "core/app/up_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/base/sha256.hpp"
#include "core/config/config.hpp"
#include "core/config/run_dir.hpp"
#include "core/plugin/private_copy.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIpc = "ipc://";

struct File {
  std::string name;  ///< as it was given
  config::Config config;
};

// "host" if there is one file, else "host:left" for left.toml, or the whole path where two have one
// name.
std::string process_name(const char* kind, const File& file, const std::vector<File>& files) {
  if (files.size() == 1) return kind;
  const auto stem = fs::path(file.name).stem();
  const auto same = std::count_if(files.begin(), files.end(), [&](const File& other) {
    return fs::path(other.name).stem() == stem;
  });
  return fmt::format("{}:{}", kind, same > 1 ? file.name : stem.string());
}

// Trunks may be shared; every other endpoint belongs to one host.
Result<void> check_endpoints(const std::vector<File>& files) {
  struct User {
    std::string file, key;
  };
  std::map<std::string, User> users;
  for (const auto& file : files)
    users.try_emplace(file.config.trunk.endpoint, User{file.name, "[trunk] endpoint"});
  for (const auto& file : files) {
    const auto& host = file.config.host;
    for (const auto& [key, endpoint] :
         {std::pair{"[host] control", host.control}, std::pair{"[host] admin", host.admin}}) {
      const auto [user, is_new] = users.try_emplace(endpoint, User{file.name, key});
      if (!is_new)
        return Error{Code::bad_argument,
                     fmt::format("config file '{}': {} '{}' is already {} of '{}'", file.name, key,
                                 endpoint, user->second.key, user->second.file)};
    }
  }
  return {};
}

Result<base::FileLock> lock(const File& file) {
  const auto& run_dir = file.config.host.run_dir;
  if (auto made = config::make_run_dir(run_dir); !made) return made.error();
  std::error_code ignored;
  const std::string path = fs::weakly_canonical(file.name, ignored).string();
  base::Sha256 sha;
  sha.update(path);
  const auto lock = run_dir / fmt::format("up-{}.lock", base::to_hex(sha.finish()).substr(0, 12));
  auto taken = base::FileLock::take(lock);
  if (taken) return taken;
  if (taken.error().code == Code::busy)
    return Error{
        Code::busy,
        fmt::format("config file '{}' is up already: '{}' is held by a running `cambium up`",
                    file.name, lock.string())};
  return Error{taken.error().code,
               fmt::format("lock '{}': {}", lock.string(), taken.error().message)};
}

void add_socket(UpPlan& plan, const std::string& endpoint) {
  if (endpoint.starts_with(kIpc)) plan.sockets.emplace_back(endpoint.substr(kIpc.size()));
}

// A host that was killed leaves its claims of robot names beside the trunk's socket.
void remove_stale_claims(const fs::path& socket) {
  std::error_code ignored;
  const std::string prefix = socket.filename().string() + ".robot-";
  std::vector<fs::path> claims;
  for (const auto& entry : fs::directory_iterator(socket.parent_path(), ignored))
    if (entry.path().filename().string().starts_with(prefix)) claims.push_back(entry.path());
  for (const auto& claim : claims) {
    [[maybe_unused]] const auto taken = base::FileLock::take(claim);  // and gone with this line
  }
}

}  // namespace

Result<UpPlan> make_plan(const std::vector<std::string>& names) {
  std::vector<File> files;
  for (const auto& name : names) {
    auto config = config::load_config(name);
    if (!config) return config.error();
    files.push_back({name, std::move(*config)});
  }
  if (auto checked = check_endpoints(files); !checked) return checked.error();
  UpPlan plan;
  std::set<std::string> trunks;
  for (const auto& file : files) {
    const auto& endpoint = file.config.trunk.endpoint;
    if (!trunks.insert(endpoint).second) continue;
    plan.processes.push_back(
        {process_name("trunk", file, files), {"trunk", "--config", file.name}, true});
    add_socket(plan, endpoint);
  }
  for (const auto& file : files) {
    auto taken = lock(file);
    if (!taken) return taken.error();
    plan.locks.push_back(std::move(*taken));
    plan.processes.push_back(
        {process_name("host", file, files), {"host", "--config", file.name}, false});
    const auto& host = file.config.host;
    add_socket(plan, host.control);
    add_socket(plan, host.admin);
    if (std::find(plan.run_dirs.begin(), plan.run_dirs.end(), host.run_dir) == plan.run_dirs.end())
      plan.run_dirs.push_back(host.run_dir);
  }
  return plan;
}

void clean_up(const UpPlan& plan) {
  std::error_code ignored;
  for (const auto& socket : plan.sockets) {
    const fs::path lock = socket.string() + ".lock";
    if (!fs::exists(socket, ignored) && !fs::exists(lock, ignored)) continue;
    // Whoever serves it holds the lock: then it is not ours.
    if (const auto taken = base::FileLock::take(lock)) fs::remove(socket, ignored);
  }
  for (const auto& socket : plan.sockets) remove_stale_claims(socket);
  for (const auto& run_dir : plan.run_dirs) {
    const auto copies = run_dir / "plugins";
    plugin::remove_stale_copies(copies);
    // Another host of this folder would miss it in the middle of a load.
    const bool others = std::any_of(
        fs::directory_iterator(run_dir, ignored), fs::directory_iterator(),
        [&](const fs::directory_entry& entry) {
          return entry.path() != copies && !entry.path().filename().string().starts_with("up-");
        });
    if (!others) fs::remove(copies, ignored);  // if it is empty
  }
}

}  // namespace cambium::app
