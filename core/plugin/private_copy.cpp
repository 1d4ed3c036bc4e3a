#include "core/plugin/private_copy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>
#include <vector>

#include "core/base/sha256.hpp"

namespace cambium::plugin {
namespace {

constexpr std::int64_t kMaxFileSize = std::int64_t{1} << 30;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string reason(int error) {
  return std::generic_category().message(error);
}

// The process that made a copy, by its name; 0 if it is none.
pid_t owner_of(const std::filesystem::path& copy) {
  if (copy.extension() != ".so") return 0;
  const std::string number = copy.stem().extension().string();  // ".<pid>-<n>"
  pid_t pid = 0;
  const char* const begin = number.data() + std::min<std::size_t>(1, number.size());
  const auto [end, error] = std::from_chars(begin, number.data() + number.size(), pid);
  const bool whole = error == std::errc{} && end < number.data() + number.size() && *end == '-';
  return whole && pid > 0 ? pid : 0;
}

bool same_contents(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

Result<FileBytes> read_file(const std::filesystem::path& file) {
  // O_NONBLOCK: a named pipe would wait for a writer.
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (in.get() < 0)
    return Error{errno == ENOENT ? Code::not_found : Code::bad_argument,
                 fmt::format("plugin '{}': cannot be opened: {}; check the path in `plugin`",
                             file.string(), reason(errno))};
  struct stat before {};
  if (::fstat(in.get(), &before) != 0 || !S_ISREG(before.st_mode))
    return Error{Code::bad_argument,
                 fmt::format("plugin '{}': not a regular file; give the path of the .so itself",
                             file.string())};
  if (before.st_size > kMaxFileSize)
    return Error{Code::bad_argument, fmt::format("plugin '{}': {} bytes, at most {} are accepted",
                                                 file.string(), before.st_size, kMaxFileSize)};
  FileBytes contents;
  contents.bytes.resize(static_cast<std::size_t>(before.st_size));
  std::size_t have = 0;
  while (have < contents.bytes.size()) {
    const auto got = ::read(in.get(), contents.bytes.data() + have, contents.bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Error{Code::failed,
                   fmt::format("plugin '{}': cannot be read: {}", file.string(), reason(errno))};
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  struct stat after {};
  if (have != contents.bytes.size() || ::fstat(in.get(), &after) != 0 ||
      !same_contents(before, after))
    return Error{Code::busy,
                 fmt::format("plugin '{}': changed while it was read; try again when its build is "
                             "done",
                             file.string())};
  base::Sha256 sha;
  sha.update(contents.bytes);
  contents.sha256 = base::to_hex(sha.finish());
  return contents;
}

Result<std::filesystem::path> write_copy(const FileBytes& contents,
                                         const std::filesystem::path& file,
                                         const std::filesystem::path& run_dir) {
  static std::atomic<unsigned> last_number{0};
  std::error_code code;
  std::filesystem::create_directories(run_dir, code);
  const auto folder = std::filesystem::absolute(run_dir, code);
  for (;;) {
    auto copy = folder / fmt::format("{}.{}.{}-{}.so", file.stem().string(),
                                     contents.sha256.substr(0, 12), ::getpid(), ++last_number);
    const Descriptor out(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (out.get() < 0 && errno == EEXIST) continue;  // left behind by a process that was killed
    std::size_t done = 0;
    int error = out.get() < 0 ? errno : 0;
    while (error == 0 && done < contents.bytes.size()) {
      const auto put =
          ::write(out.get(), contents.bytes.data() + done, contents.bytes.size() - done);
      if (put >= 0)
        done += static_cast<std::size_t>(put);
      else if (errno != EINTR)
        error = errno;
    }
    if (error == 0) return copy;
    if (out.get() >= 0) ::unlink(copy.c_str());
    return Error{Code::failed,
                 fmt::format("plugin '{}': its private copy '{}' cannot be written: {}; make the "
                             "run directory writable",
                             file.string(), copy.string(), reason(error))};
  }
}

void remove_stale_copies(const std::filesystem::path& run_dir) noexcept try {
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(run_dir)) {
    const pid_t owner = owner_of(entry.path());
    if (owner != 0 && ::kill(owner, 0) != 0 && errno == ESRCH) stale.push_back(entry.path());
  }
  for (const auto& copy : stale) std::filesystem::remove(copy);
} catch (const std::exception&) {  // the folder is not there, or somebody else was quicker
}

}  // namespace cambium::plugin
