#include "core/base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace cambium::base {

FileLock::FileLock(std::filesystem::path file, int descriptor)
    : file_(std::move(file)), descriptor_(descriptor) {}

FileLock::FileLock(FileLock&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  ::unlink(file_.c_str());  // before the lock goes: afterwards it could be somebody else's
  ::close(descriptor_);
}

Result<FileLock> FileLock::take(const std::filesystem::path& file) {
  for (;;) {
    const int descriptor = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return Error{Code::failed, std::strerror(errno)};
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor);
      return Error{Code::busy, "held by a running process"};
    }
    // Its last owner may have removed the file between our open and our lock: then the lock is on
    // nothing.
    struct stat ours = {}, there = {};
    if (::fstat(descriptor, &ours) == 0 && ::stat(file.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino) {
      return FileLock(file, descriptor);
    }
    ::close(descriptor);
  }
}

}  // namespace cambium::base
