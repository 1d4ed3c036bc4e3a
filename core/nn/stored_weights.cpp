#include "core/nn/stored_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/nn/half.hpp"

namespace cambium::nn {
namespace {

template <class T>
const T* numbers(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const T*>(bytes.data());  // the file was checked to be aligned
}

// `one` is a lambda, not a function's address: each has its own loop, and that is vector code.
template <class T, class F>
void convert(const T* from, std::uint64_t count, float* to, F one) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) to[i] = one(from[i]);
}

// I8 without its scale.
void to_f32(DType dtype, std::span<const std::byte> bytes, std::uint64_t count,
            float* to) noexcept {
  switch (dtype) {
    case DType::bf16:
      return convert(numbers<std::uint16_t>(bytes), count, to,
                     [](std::uint16_t x) { return bfloat_to_float(x); });
    case DType::f16:
      return convert(numbers<std::uint16_t>(bytes), count, to,
                     [](std::uint16_t x) { return half_to_float(x); });
    case DType::i8:
      return convert(numbers<std::int8_t>(bytes), count, to,
                     [](std::int8_t x) { return static_cast<float>(x); });
    default:
      std::memcpy(to, bytes.data(), count * sizeof(float));
  }
}

bool is_floating(DType dtype) noexcept {
  return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
}

}  // namespace

std::vector<StoredTensor> as_stored(std::span<const TensorView> tensors) {
  std::vector<StoredTensor> stored;
  for (const TensorView& tensor : tensors) {
    const std::span<const float> values(tensor.data, tensor.size());
    stored.push_back({tensor.name,
                      DType::f32,
                      {tensor.shape, tensor.shape + tensor.rank},
                      std::as_bytes(values)});
  }
  return stored;
}

std::string scale_name(std::string_view tensor) {
  return std::string(tensor) + "_scale";
}

StoredMatrix::StoredMatrix(const StoredTensor& tensor, const StoredTensor* scale)
    : dtype_(tensor.dtype),
      rows_(tensor.shape[0]),
      columns_(tensor.shape[1]),
      bytes_(tensor.bytes) {
  if (scale != nullptr) scales_ = {numbers<float>(scale->bytes), rows_};
}

void StoredMatrix::read_rows(std::uint64_t first, std::uint64_t count, float* out) const noexcept {
  const std::uint64_t row_bytes = columns_ * size_of(dtype_);
  to_f32(dtype_, bytes_.subspan(first * row_bytes, count * row_bytes), count * columns_, out);
  if (scales_.empty()) return;
  for (std::uint64_t row = 0; row < count; ++row) {
    const float scale = scales_[first + row];
    float* const at = out + row * columns_;
    for (std::uint64_t i = 0; i < columns_; ++i) at[i] *= scale;
  }
}

const float* StoredMatrix::rows_as_f32(std::uint64_t first, std::uint64_t count,
                                       float* scratch) const noexcept {
  if (dtype_ == DType::f32) return numbers<float>(bytes_) + first * columns_;
  read_rows(first, count, scratch);
  return scratch;
}

StoredWeights::StoredWeights(std::string owner, std::span<const StoredTensor> tensors)
    : owner_(std::move(owner)), tensors_(tensors) {
  for (const StoredTensor& tensor : tensors_) by_name_.push_back(&tensor);
  std::ranges::sort(by_name_, {}, &StoredTensor::name);
}

const StoredTensor* StoredWeights::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(by_name_, name, {}, &StoredTensor::name);
  return found != by_name_.end() && (*found)->name == name ? *found : nullptr;
}

void StoredWeights::fail(std::string what) {
  if (ok()) error_ = {Code::incompatible, owner_ + ": " + std::move(what)};
}

// Null after an error, of this tensor or an earlier one.
const StoredTensor* StoredWeights::checked(const std::string& name,
                                           std::span<const std::uint64_t> shape) {
  taken_.push_back(name);
  if (!ok()) return nullptr;
  const StoredTensor* tensor = find(name);
  if (tensor == nullptr) {
    std::vector<std::string> names;
    for (const StoredTensor& one : tensors_) names.push_back(one.name);
    const std::string best = base::nearest(name, names);
    fail(fmt::format("tensor '{}' {} is missing{}", name, to_string(shape),
                     best.empty() ? "" : " (nearest: '" + best + "')"));
    return nullptr;
  }
  if (!std::ranges::equal(tensor->shape, shape)) {
    fail(fmt::format("tensor '{}' has shape {}, expected {}", name, to_string(tensor->shape),
                     to_string(shape)));
    return nullptr;
  }
  return tensor;
}

const StoredTensor* StoredWeights::checked_scale(const std::string& name, std::uint64_t rows) {
  const StoredTensor* scale = checked(scale_name(name), {&rows, 1});
  if (scale == nullptr) return nullptr;
  if (scale->dtype != DType::f32) {
    fail(fmt::format("tensor '{}' is {}, the scales of an I8 tensor are F32", scale->name,
                     to_string(scale->dtype)));
    return nullptr;
  }
  const std::span<const float> values(numbers<float>(scale->bytes), rows);
  const auto bad =
      std::ranges::find_if_not(values, [](float x) { return std::isfinite(x) && x > 0; });
  if (bad != values.end()) {
    fail(fmt::format("tensor '{}' holds {} at number {}, expected scales above 0", scale->name,
                     *bad, bad - values.begin()));
    return nullptr;
  }
  return scale;
}

StoredMatrix StoredWeights::matrix(const std::string& name, std::uint64_t rows,
                                   std::uint64_t columns) {
  const std::uint64_t shape[] = {rows, columns};
  const StoredTensor* tensor = checked(name, shape);
  if (tensor == nullptr) return {};
  if (is_floating(tensor->dtype)) return {*tensor, nullptr};
  if (tensor->dtype != DType::i8) {
    fail(fmt::format("tensor '{}' is {}, expected F32, BF16, F16 or I8", name,
                     to_string(tensor->dtype)));
    return {};
  }
  const StoredTensor* scale = checked_scale(name, rows);
  return scale == nullptr ? StoredMatrix() : StoredMatrix(*tensor, scale);
}

std::vector<float> StoredWeights::take(const std::string& name,
                                       std::initializer_list<std::uint64_t> shape) {
  const StoredTensor* tensor = checked(name, {shape.begin(), shape.size()});
  if (tensor == nullptr) return {};
  if (!is_floating(tensor->dtype)) {
    fail(fmt::format("tensor '{}' is {}, expected F32, BF16 or F16", name,
                     to_string(tensor->dtype)));
    return {};
  }
  std::vector<float> values(tensor->size());
  to_f32(tensor->dtype, tensor->bytes, values.size(), values.data());
  return values;
}

Result<void> StoredWeights::finish() {
  const std::set<std::string_view> taken(taken_.begin(), taken_.end());
  for (const StoredTensor& tensor : tensors_) {
    if (!ok()) break;
    if (taken.contains(tensor.name)) continue;
    const std::string best = base::nearest(tensor.name, taken_);
    fail(fmt::format("tensor '{}' {} is not part of it{}", tensor.name, to_string(tensor.shape),
                     best.empty() ? "" : " (nearest: '" + best + "')"));
  }
  if (ok()) return {};
  return error_;
}

}  // namespace cambium::nn
