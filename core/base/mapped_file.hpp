// core/base/mapped_file.hpp: the bytes of a file, without a copy where nobody can change them
// meanwhile.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "cambium/result.hpp"
#include "core/base/clock.hpp"
#include "core/base/descriptor.hpp"

namespace cambium::base {

/// A whole file, to be read soon and let go.
///
/// It is mapped under a read lease: who wants to write to it or to cut it waits until this object
/// is gone, so the bytes stay what they are and no page is taken away (SIGBUS). Who replaces it by
/// a rename waits for nothing. Where there is no lease (somebody has it open for writing, it
/// belongs to another user, the file system has none) or where much of it is still on the disk,
/// the bytes are copied instead; mapped() tells.
///
/// Not for keeps: after `/proc/sys/fs/lease-break-time` (45 s) of waiting the kernel lets a writer
/// go on (docs/decisions/0028-a-trunk-is-mapped-while-it-is-loaded.md).
class MappedFile {
 public:
  /// Errors name the file. [setup]
  static Result<MappedFile> open(const std::filesystem::path& file);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  /// Lie at a page's begin if mapped, else aligned for every number. Live as long as this object.
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  bool mapped() const noexcept { return static_cast<bool>(leased_); }
  /// Somebody waits to write to it. [any]
  bool wanted() const noexcept;
  /// The bytes are surely those that it was opened with: ask after the last one was read. Only a
  /// writer that has waited longer than the kernel makes him can have changed them. [any]
  bool unchanged() const noexcept;

 private:
  MappedFile() = default;
  bool map(Descriptor& file);
  Result<void> read(const std::filesystem::path& name, const Descriptor& file);

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Descriptor leased_;  ///< only of a mapped file
  Nanoseconds safe_until_ = 0;
  std::unique_ptr<std::byte[]> copy_;  ///< only of a file that is not mapped
};

}  // namespace cambium::base
