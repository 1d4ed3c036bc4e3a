#include "core/base/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace cambium::base {
namespace {

Error failed(const std::filesystem::path& file, const char* what, int error) {
  return {error == ENOENT ? Code::not_found : Code::failed,
          "'" + file.string() + "': cannot " + what + ": " + std::strerror(error)};
}

/// How long a writer waits at least. 0 where that is not known.
Nanoseconds writers_wait() {
  std::ifstream in("/proc/sys/fs/lease-break-time");
  Nanoseconds seconds = 0;
  if (!(in >> seconds) || seconds < 0) return 0;
  constexpr Nanoseconds kForEver = std::numeric_limits<Nanoseconds>::max() / 2;
  return seconds == 0 ? kForEver : seconds * kSecond;
}

bool take_lease(int file) {
  // A writer is told to us by a signal; SIGIO, the usual one, would end the process.
  return ::fcntl(file, F_SETSIG, SIGURG) == 0 && ::fcntl(file, F_SETLEASE, F_RDLCK) == 0;
}

/// Whether reading it takes no longer than memory does, or little more: from a slow disk a mapping
/// could be read for longer than a writer waits.
bool in_memory(void* at, std::size_t size) {
  constexpr std::size_t kFew = std::size_t{32} << 20;  // [B] two seconds of a very slow disk
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  if (::mincore(at, size, pages.data()) != 0) return false;
  const auto missing =
      std::ranges::count_if(pages, [](unsigned char one) { return (one & 1) == 0; });
  return static_cast<std::size_t>(missing) * page <= kFew;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& name) {
  // Non-blocking: a pipe in place of the file would wait for a writer.
  Descriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return failed(name, "open", errno);
  struct stat info = {};
  if (::fstat(file.get(), &info) != 0) return failed(name, "stat", errno);
  if (!S_ISREG(info.st_mode))
    return Error{Code::bad_data, "'" + name.string() + "': is not a regular file"};
  MappedFile result;
  result.size_ = static_cast<std::size_t>(info.st_size);
  if (result.map(file)) return result;
  if (auto done = result.read(name, file); !done) return done.error();
  return result;
}

bool MappedFile::map(Descriptor& file) {
  constexpr Nanoseconds kEnough = 10 * kSecond;  // to read what is in memory, many times over
  const Nanoseconds wait = writers_wait();
  if (size_ == 0 || wait < kEnough || !take_lease(file.get())) return false;
  const Nanoseconds now = monotonic_ns();
  struct stat info = {};  // again: only now it can grow or shrink no more
  if (::fstat(file.get(), &info) == 0 && info.st_size > 0) {
    const auto size = static_cast<std::size_t>(info.st_size);
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (at != MAP_FAILED && in_memory(at, size)) {
      data_ = static_cast<const std::byte*>(at);
      size_ = size;
      leased_ = std::move(file);
      safe_until_ = now + wait;
      return true;
    }
    if (at != MAP_FAILED) ::munmap(at, size);
  }
  ::fcntl(file.get(), F_SETLEASE, F_UNLCK);
  return false;
}

Result<void> MappedFile::read(const std::filesystem::path& name, const Descriptor& file) {
  copy_.reset(new (std::nothrow) std::byte[size_]);
  if (copy_ == nullptr) return failed(name, "hold in memory", ENOMEM);
  for (std::size_t done = 0; done < size_;) {
    const auto got =
        ::pread(file.get(), copy_.get() + done, size_ - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(name, "read", errno);
    if (got == 0)
      return Error{Code::bad_data, "'" + name.string() + "': shrank from " + std::to_string(size_) +
                                       " to " + std::to_string(done) + " bytes while it was read"};
    done += static_cast<std::size_t>(got);
  }
  data_ = copy_.get();
  return {};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      leased_(std::move(other.leased_)),
      safe_until_(other.safe_until_),
      copy_(std::move(other.copy_)) {}

MappedFile::~MappedFile() {
  // Before the lease, which ends with its descriptor.
  if (mapped()) ::munmap(const_cast<std::byte*>(data_), size_);
}

bool MappedFile::wanted() const noexcept {
  return mapped() && ::fcntl(leased_.get(), F_GETLEASE) != F_RDLCK;
}

bool MappedFile::unchanged() const noexcept {
  return !wanted() || monotonic_ns() < safe_until_;
}

}  // namespace cambium::base
