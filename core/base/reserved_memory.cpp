#include "core/base/reserved_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

namespace cambium::base {

Result<ReservedMemory> ReservedMemory::reserve(std::size_t bytes) {
  ReservedMemory memory;
  if (bytes == 0) return memory;
  // Not counted as taken: a budget for robots that may never come is no memory in use.
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    return Error{Code::limit, "reserving " + std::to_string(bytes) +
                                  " bytes: " + std::generic_category().message(errno)};
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = bytes;
  return memory;
}

ReservedMemory::~ReservedMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void ReservedMemory::release(const std::byte* part, std::size_t bytes) noexcept {
  static const std::size_t kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part - data_);
  const std::size_t first = (offset + kPage - 1) / kPage * kPage;
  const std::size_t last = (offset + bytes) / kPage * kPage;
  if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
}

}  // namespace cambium::base
