// core/nn/stored_weights.hpp: tensors of any stored precision, found by name, checked, and read as
// f32 without a copy of a whole one.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cambium/result.hpp"
#include "core/nn/safetensors.hpp"

namespace cambium::nn {

/// The weight (out, in) of a product as it is stored: F32, BF16, F16, or I8 with one scale for each
/// row. Borrows the tensors.
class StoredMatrix {
 public:
  StoredMatrix() = default;
  /// `scale` null unless `tensor` is I8; both checked by StoredWeights.
  StoredMatrix(const StoredTensor& tensor, const StoredTensor* scale);

  DType dtype() const noexcept { return dtype_; }
  std::uint64_t rows() const noexcept { return rows_; }
  std::uint64_t columns() const noexcept { return columns_; }
  /// As they lie there, row-major.
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// (rows), empty unless dtype() is I8.
  std::span<const float> scales() const noexcept { return scales_; }

  /// out  [1]  (count, columns)  rows `first` to `first + count`, row-major, written in full
  /// [any, rt]
  void read_rows(std::uint64_t first, std::uint64_t count, float* out) const noexcept;
  /// The same rows where they lie if they are F32, else read into `scratch` (count, columns).
  /// [any, rt]
  const float* rows_as_f32(std::uint64_t first, std::uint64_t count, float* scratch) const noexcept;

 private:
  DType dtype_ = DType::f32;
  std::uint64_t rows_ = 0, columns_ = 0;
  std::span<const std::byte> bytes_;
  std::span<const float> scales_;
};

/// Finds tensors for a model that is set up. The first missing or misshapen one is kept and told by
/// finish(), so that a model takes all it needs and checks once; until then what failed is empty.
/// [setup]
class StoredWeights {
 public:
  /// owner    who is being set up, for errors: "trunk 'hpt'"
  /// tensors  in any order, borrowed; what is handed out points into their bytes
  StoredWeights(std::string owner, std::span<const StoredTensor> tensors);

  /// The weight of a product; rows and columns are 0 after an error.
  StoredMatrix matrix(const std::string& name, std::uint64_t rows, std::uint64_t columns);
  /// A copy of a small tensor: F32, BF16 or F16, row-major.
  std::vector<float> take(const std::string& name, std::initializer_list<std::uint64_t> shape);

  /// A tensor of this name, of any dtype and shape, may be there and is not read.
  void ignore(std::string name) { taken_.push_back(std::move(name)); }

  bool ok() const noexcept { return error_.message.empty(); }
  /// What was wrong first, or a tensor that nobody took.
  Result<void> finish();

 private:
  const StoredTensor* find(std::string_view name) const;
  const StoredTensor* checked(const std::string& name, std::span<const std::uint64_t> shape);
  const StoredTensor* checked_scale(const std::string& name, std::uint64_t rows);
  void fail(std::string what);

  std::string owner_;
  std::span<const StoredTensor> tensors_;
  std::vector<const StoredTensor*> by_name_;
  std::vector<std::string> taken_;
  Error error_;
};

/// f32 tensors in hand as if they had been stored; borrows their bytes.
std::vector<StoredTensor> as_stored(std::span<const TensorView> tensors);

/// "mlp.fc1.weight_scale": the scales of an I8 tensor.
std::string scale_name(std::string_view tensor);

}  // namespace cambium::nn
