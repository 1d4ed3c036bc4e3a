// core/nn/safetensors.hpp: .safetensors files, read and written whole. Every byte is
// checked before use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"
#include "core/base/file_check.hpp"

namespace cambium::nn {

enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

std::size_t size_of(DType dtype) noexcept;    ///< [B] of one element
const char* to_string(DType dtype) noexcept;  ///< as in the file: "F32", "BF16", "BOOL"

/// One tensor as it lies in the file; borrowed from the SafetensorsFile.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;  ///< little-endian, row-major, aligned for its dtype

  std::uint64_t size() const noexcept;
};

/// "[64, 128]", for messages.
std::string to_string(std::span<const std::uint64_t> shape);

using Metadata = std::map<std::string, std::string>;

/// A .safetensors file, in memory: it may be overwritten while its weights are in use (but see
/// open_mapped).
///
/// Reading verifies header length, JSON, dtypes, shapes (rank 5 at most) and that the tensors'
/// ranges are aligned, lie in the file, do not overlap and leave no hole, before any tensor is
/// read. Errors name the file, the tensor, both numbers. Copies share the bytes. With a `check`,
/// it is first asked about all bytes of the file, and those are the bytes that are read. [setup]
class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::filesystem::path& file,
                                      const base::FileCheck& check = {});
  /// Reads only the tensors whose name begins with `prefix`; the others are verified with the
  /// header and then left out: of a large file the bytes of a few tensors are enough.
  static Result<SafetensorsFile> open_part(const std::filesystem::path& file,
                                           std::string_view prefix,
                                           const base::FileCheck& check = {});
  /// The same file without a copy where nobody can change it meanwhile (base::MappedFile), for who
  /// reads it once and lets go of every handle: whoever wants to write to it waits so long. Ask
  /// unchanged() after the last byte was read.
  static Result<SafetensorsFile> open_mapped(const std::filesystem::path& file,
                                             const base::FileCheck& check = {});
  bool mapped() const noexcept;
  /// failed, naming the file, if what was read may not be what was opened.
  Result<void> unchanged() const;

  const std::filesystem::path& path() const noexcept { return path_; }
  const Metadata& metadata() const noexcept { return metadata_; }
  /// Metadata value, or not_found naming the file and the nearest key.
  Result<std::string> meta(std::string_view key) const;
  /// Tensors in order of name.
  std::span<const StoredTensor> tensors() const noexcept { return *tensors_; }
  /// Null if there is none of that name.
  const StoredTensor* find(std::string_view name) const noexcept;
  /// Contents as f32 (from any floating or integer dtype), or not_found naming the nearest tensor.
  Result<std::vector<float>> read_f32(std::string_view name) const;
  Result<std::vector<double>> read_f64(std::string_view name) const;
  Result<std::vector<std::int64_t>> read_i64(std::string_view name) const;
  /// Views of all F32 tensors whose name begins with `prefix`, the prefix cut off, in order of
  /// name; they live as long as this file or a copy of it.
  std::vector<TensorView> views(std::string_view prefix) const;
  /// The same of every dtype, with the bytes as they lie there.
  std::vector<StoredTensor> stored_views(std::string_view prefix) const;

 private:
  class Contents;
  void hold(std::shared_ptr<const Contents> contents, Metadata metadata,
            std::vector<StoredTensor> tensors);

  std::filesystem::path path_;
  std::shared_ptr<const Contents> contents_;
  Metadata metadata_;
  // Shared, so that views, which point at the names in it, survive copies and moves of this file.
  std::shared_ptr<const std::vector<StoredTensor>> tensors_ =
      std::make_shared<const std::vector<StoredTensor>>();
};

/// A tensor to be written. Borrowed until write_safetensors() returns.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  const void* data = nullptr;
};

/// Borrows `values`, whose size must be that of `shape`.
TensorToWrite to_write(std::string name, std::vector<std::uint64_t> shape,
                       std::span<const float> values);

/// Told how many bytes of how many are written, after every few megabytes; says whether to go on.
using WriteProgress = std::function<bool(std::uint64_t written, std::uint64_t all)>;

/// Writes through a temporary file beside `file` and a rename: a reader sees the old file or the
/// whole new one, also after a crash of the machine: file and folder are synchronised. If `tell`
/// says no, nothing was written (`failed`). [setup]
Result<void> write_safetensors(const std::filesystem::path& file,
                               std::span<const TensorToWrite> tensors, const Metadata& metadata,
                               const WriteProgress& tell = {});

}  // namespace cambium::nn
