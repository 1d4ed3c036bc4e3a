#include "core/trunk/session_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace cambium::trunk {
namespace {

namespace fs = std::filesystem;

constexpr const char *kLock = ".lock", *kEnding = ".safetensors";

std::string ending_of(const base::Digest& trunk) {
  return "." + base::to_hex(trunk).substr(0, 16) + kEnding;
}

// As nn::write_safetensors() names it: ".arm_1.<trunk>.safetensors.<pid>.tmp".
bool is_half_written(const std::string& name) {
  return name.starts_with('.') && name.ends_with(".tmp") &&
         name.find(std::string(kEnding) + ".") != std::string::npos;
}

std::string file_name(const base::Digest& trunk, std::string_view name) {
  return std::string(name) + ending_of(trunk);
}

Error failed(const fs::path& folder, const char* what, const std::error_code& why) {
  return {Code::failed, fmt::format("'{}': cannot {}: {}", folder.string(), what, why.message())};
}

}  // namespace

Result<SessionFolder> SessionFolder::open(const fs::path& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return failed(folder, "be made", failure);
  auto lock = base::FileLock::take(folder / kLock);
  if (!lock)
    return Error{
        lock.error().code,
        lock.error().code == Code::busy
            ? fmt::format("'{}': another trunk process keeps its sessions there; give each "
                          "a folder of its own",
                          folder.string())
            : fmt::format("'{}': {}", folder.string(), lock.error().message)};
  SessionFolder opened(folder, std::move(*lock));
  if (auto looked = opened.look(); !looked) return looked.error();
  return opened;
}

Result<void> SessionFolder::look() {
  std::error_code failure;
  fs::directory_iterator entries(path_, failure);
  for (; !failure && entries != fs::directory_iterator(); entries.increment(failure)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    // Nobody else writes here.
    if (is_half_written(name))
      fs::remove(entries->path(), ignored);
    else if (name.ends_with(kEnding))
      files_.insert(name);
  }
  if (failure) return failed(path_, "be read", failure);
  return {};
}

fs::path SessionFolder::file(const base::Digest& trunk, std::string_view name) const {
  return path_ / file_name(trunk, name);
}
bool SessionFolder::has(const base::Digest& trunk, std::string_view name) const {
  return files_.contains(file_name(trunk, name));
}
void SessionFolder::note_written(const base::Digest& trunk, std::string_view name) {
  files_.insert(file_name(trunk, name));
}
void SessionFolder::note_gone(const base::Digest& trunk, std::string_view name) {
  files_.erase(file_name(trunk, name));
}

std::size_t SessionFolder::count(const base::Digest& trunk) const {
  const std::string ending = ending_of(trunk);
  return static_cast<std::size_t>(std::ranges::count_if(
      files_, [&](const std::string& name) { return name.ends_with(ending); }));
}
std::size_t SessionFolder::count_of_others(const base::Digest& trunk) const {
  return files_.size() - count(trunk);
}

Result<fs::path> set_aside(const fs::path& file) {
  fs::path aside = file;
  aside += ".refused";
  std::error_code failure;
  fs::rename(file, aside, failure);
  if (failure) return failed(file, "be renamed", failure);
  return aside;
}

}  // namespace cambium::trunk
