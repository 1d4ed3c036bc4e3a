#include "core/base/sealed_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace cambium::base {
namespace {

Error failed(const std::string& what) {
  return {Code::failed, what + ": " + std::generic_category().message(errno)};
}

std::string path_of(std::uint32_t process, std::uint32_t descriptor) {
  return "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
}

}  // namespace

Result<Mapping> Mapping::map(int memory, std::size_t bytes, Access access) {
  const int rights = access == Access::write ? PROT_READ | PROT_WRITE : PROT_READ;
  void* data = ::mmap(nullptr, bytes, rights, MAP_SHARED | MAP_POPULATE, memory, 0);
  if (data == MAP_FAILED) return failed("mmap of " + std::to_string(bytes) + " bytes");
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(data);
  mapping.size_ = bytes;
  return mapping;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Result<Descriptor> make_memory(const char* name) {
  Descriptor memory(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return failed("memfd_create");
  return memory;
}

Result<void> seal_memory(int memory, std::size_t bytes) {
  if (::ftruncate(memory, static_cast<off_t>(bytes)) != 0) return failed("ftruncate");
  if (::fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return failed("sealing it");
  return {};
}

Result<Descriptor> open_memory_of(MemoryHolder& holder, std::size_t bytes) {
  const std::string path = path_of(holder.process, holder.descriptor);
  // First as a path only: to open a pipe or a device for reading would do something to it.
  const Descriptor there(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!there && errno == EACCES)
    return Error{Code::unavailable, path + " cannot be opened: the process is another user's"};
  if (!there) {
    return Error{Code::unavailable,
                 path + " is not there: the process is on another machine or in a container"};
  }
  struct stat facts {};
  if (::fstat(there.get(), &facts) != 0) return failed(path + ": fstat");
  if (!S_ISREG(facts.st_mode)) return Error{Code::bad_data, path + " is no memory"};
  if (facts.st_uid != ::geteuid())
    return Error{Code::unavailable, path + " belongs to another user"};
  const std::string same =
      path_of(static_cast<std::uint32_t>(::getpid()), static_cast<std::uint32_t>(there.get()));
  Descriptor memory(::open(same.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!memory) return failed(path + ": open");
  constexpr int kNeeded = F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0) return Error{Code::bad_data, path + " is a file, not a memfd"};
  if ((seals & kNeeded) != kNeeded) {
    return Error{Code::bad_data,
                 path + " is not sealed: it could be cut short while it is being read"};
  }
  // Only now: its size can no longer change.
  if (::fstat(memory.get(), &facts) != 0) return failed(path + ": fstat");
  if (static_cast<std::uint64_t>(facts.st_size) != bytes) {
    return Error{Code::bad_data, path + " has " + std::to_string(facts.st_size) +
                                     " bytes, it was said to have " + std::to_string(bytes)};
  }
  holder.device = facts.st_dev;
  holder.inode = facts.st_ino;
  return memory;
}

bool MemoryHolder::still_holds() const {
  struct stat facts {};
  return ::stat(path_of(process, descriptor).c_str(), &facts) == 0 && facts.st_dev == device &&
         facts.st_ino == inode;
}

}  // namespace cambium::base
