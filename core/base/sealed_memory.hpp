// core/base/sealed_memory.hpp: memory without a file, for two processes; its size is sealed, so
// that nobody can take it from under a reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "cambium/result.hpp"
#include "core/base/descriptor.hpp"

namespace cambium::base {

/// Owns a mapping; the memory lives until its last mapping and descriptor are gone.
class Mapping {
 public:
  enum class Access : std::uint8_t { read, write };

  Mapping() = default;
  /// Maps `bytes` of `memory`, all pages there already: a page fault in a tick would cost it
  /// microseconds. [setup]
  static Result<Mapping> map(int memory, std::size_t bytes, Access access);
  ~Mapping();
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A memfd, not yet sized. [setup]
Result<Descriptor> make_memory(const char* name);

/// Gives a memfd its size for ever. [setup]
Result<void> seal_memory(int memory, std::size_t bytes);

/// A descriptor of another process, and which memory it was when it was opened.
struct MemoryHolder {
  std::uint32_t process = 0, descriptor = 0;
  std::uint64_t device = 0, inode = 0;

  /// The process has not ended and not closed it. To be asked while the memory is mapped here:
  /// afterwards its number may be another's. [setup]
  bool still_holds() const;
};

/// Opens the memory behind the holder's descriptor for reading, and notes which it is. Believes
/// nothing: it must be a memfd of this user, sealed, and have exactly so many bytes. The sentence
/// says what it was instead. May wait, if it is something else altogether. [setup]
Result<Descriptor> open_memory_of(MemoryHolder& holder, std::size_t bytes);

}  // namespace cambium::base
