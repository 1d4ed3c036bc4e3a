#include "core/nn/convert_stock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/half.hpp"
#include "core/nn/stored_weights.hpp"

namespace cambium::nn {
namespace {

// Of 'hpt', 'streaming', 'infini', 'retnet' and 'mamba'.
bool is_product(std::string_view name) {
  constexpr std::string_view kProducts[] = {
      ".attn.in_proj_weight", ".attn.out_proj.weight", ".mlp.fc1.weight", ".mlp.fc2.weight",
      // LLaMA's blocks
      ".mlp.gate_proj.weight", ".mlp.up_proj.weight", ".mlp.down_proj.weight",
      ".self_attn.q_proj.weight", ".self_attn.k_proj.weight", ".self_attn.v_proj.weight",
      ".self_attn.o_proj.weight", ".self_attn.proj_q.weight", ".self_attn.proj_k.weight",
      ".self_attn.proj_v.weight", ".self_attn.proj_out.weight",
      // retention
      ".retention.q_proj.weight", ".retention.k_proj.weight", ".retention.v_proj.weight",
      ".retention.g_proj.weight", ".retention.out_proj.weight", ".ffn.fc1.weight",
      ".ffn.gate.weight", ".ffn.fc2.weight",
      // selective state spaces
      ".mixer.in_proj.weight", ".mixer.x_proj.weight", ".mixer.out_proj.weight"};
  return name.starts_with(kTrunkPrefix) &&
         std::ranges::any_of(kProducts, [&](std::string_view end) { return name.ends_with(end); });
}

DType dtype_of(Precision precision) noexcept {
  return precision == Precision::bf16   ? DType::bf16
         : precision == Precision::int8 ? DType::i8
                                        : DType::f32;
}

/// What is lost by rounding, over all weights.
struct Loss {
  double lost = 0, all = 0;  ///< sums of squares

  void add(float was, float is) {
    lost += (double{was} - is) * (double{was} - is);
    all += double{was} * was;
  }
  double relative() const { return all > 0 ? std::sqrt(lost / all) : 0; }
};

// [1] below it a quotient of two weights loses digits of its own.
constexpr float kSmallestScale = 1e-30F;

/// The tensors of the new file; those that change are made here, the others are borrowed.
class Converter {
 public:
  Converter(const SafetensorsFile& file, Precision precision)
      : file_(file),
        to_(dtype_of(precision)),
        weights_("'" + file.path().string() + "'", file.tensors()) {}

  Result<void> run() {
    for (const StoredTensor& tensor : file_.tensors()) {
      if (is_scale(tensor)) continue;  // comes with its weight
      const bool product = is_product(tensor.name);
      Result<void> done;
      if (product && tensor.dtype != to_)
        done = convert(tensor);
      else if (product && to_ == DType::i8)
        done = keep_with_scale(tensor);
      else if (to_be_widened(tensor))
        done = widen(tensor);
      else
        keep(tensor);
      if (!done) return done;
    }
    return {};
  }
  const std::vector<TensorToWrite>& tensors() const noexcept { return tensors_; }
  std::uint32_t changed() const noexcept { return changed_; }
  double error() const noexcept { return loss_.relative(); }

 private:
  bool is_scale(const StoredTensor& tensor) const {
    const std::string end = scale_name("");
    if (!tensor.name.ends_with(end)) return false;
    const auto weight = std::string_view(tensor.name).substr(0, tensor.name.size() - end.size());
    const StoredTensor* found = file_.find(weight);
    return is_product(weight) && found != nullptr && found->dtype == DType::i8;
  }
  bool to_be_widened(const StoredTensor& tensor) const {
    return to_ == DType::f32 && tensor.name.starts_with(kTrunkPrefix) &&
           (tensor.dtype == DType::bf16 || tensor.dtype == DType::f16);
  }

  void keep(const StoredTensor& tensor) {
    tensors_.push_back({tensor.name, tensor.dtype, tensor.shape, tensor.bytes.data()});
  }
  /// Room for a new tensor; operator new aligns it.
  std::byte* make(const std::string& name, DType dtype, const std::vector<std::uint64_t>& shape) {
    std::uint64_t size = size_of(dtype);
    for (const std::uint64_t extent : shape) size *= extent;
    std::byte* const data = made_.emplace_back(size).data();
    tensors_.push_back({name, dtype, shape, data});
    return data;
  }

  Result<StoredMatrix> checked(const StoredTensor& tensor) {
    if (tensor.shape.size() != 2 || tensor.size() == 0)
      return Error{Code::bad_data,
                   fmt::format("'{}': tensor '{}' has shape {}, expected (out, in)",
                               file_.path().string(), tensor.name, to_string(tensor.shape))};
    const StoredMatrix matrix = weights_.matrix(tensor.name, tensor.shape[0], tensor.shape[1]);
    if (!weights_.ok()) return weights_.finish().error();
    return matrix;
  }

  Result<void> keep_with_scale(const StoredTensor& tensor) {
    if (const auto sound = checked(tensor); !sound) return sound.error();
    keep(tensor);
    keep(*file_.find(scale_name(tensor.name)));
    return {};
  }

  // A norm, a bias: exact.
  Result<void> widen(const StoredTensor& tensor) {
    const auto values = file_.read_f32(tensor.name);
    if (!values) return values.error();
    std::memcpy(make(tensor.name, DType::f32, tensor.shape), values->data(),
                values->size() * sizeof(float));
    ++changed_;
    return {};
  }

  Result<void> convert(const StoredTensor& tensor) {
    const auto matrix = checked(tensor);
    if (!matrix) return matrix.error();
    std::byte* out = make(tensor.name, to_, tensor.shape);
    std::byte* scales =
        to_ == DType::i8 ? make(scale_name(tensor.name), DType::f32, {matrix->rows()}) : nullptr;
    row_.resize(matrix->columns());
    for (std::uint64_t i = 0; i < matrix->rows(); ++i) {
      matrix->read_rows(i, 1, row_.data());
      const bool finite = to_ == DType::i8     ? to_int8(reinterpret_cast<std::int8_t*>(out),
                                                         reinterpret_cast<float*>(scales)[i])
                          : to_ == DType::bf16 ? to_bf16(reinterpret_cast<std::uint16_t*>(out))
                                               : to_f32(reinterpret_cast<float*>(out));
      if (!finite)
        return Error{
            Code::bad_data,
            fmt::format("'{}': tensor '{}' has a weight in row {} that is not finite in {}",
                        file_.path().string(), tensor.name, i, to_string(to_))};
      out += row_.size() * size_of(to_);
    }
    ++changed_;
    return {};
  }

  bool to_int8(std::int8_t* out, float& scale) {
    float largest = 0;
    for (const float x : row_) {
      if (!std::isfinite(x)) return false;
      largest = std::max(largest, std::abs(x));
    }
    // A row of nothing has a scale as well: what divides by it must not find 0.
    scale = std::max(largest / 127, kSmallestScale);
    for (std::size_t i = 0; i < row_.size(); ++i) {
      out[i] = static_cast<std::int8_t>(std::lrintf(row_[i] / scale));
      loss_.add(row_[i], static_cast<float>(out[i]) * scale);
    }
    return true;
  }
  bool to_bf16(std::uint16_t* out) {
    for (std::size_t i = 0; i < row_.size(); ++i) {
      out[i] = float_to_bfloat(row_[i]);
      const float is = bfloat_to_float(out[i]);
      if (!std::isfinite(is)) return false;
      loss_.add(row_[i], is);
    }
    return true;
  }
  bool to_f32(float* out) {
    std::ranges::copy(row_, out);
    return std::ranges::all_of(row_, [](float x) { return std::isfinite(x); });
  }

  const SafetensorsFile& file_;
  DType to_;
  StoredWeights weights_;
  std::deque<std::vector<std::byte>> made_;
  std::vector<TensorToWrite> tensors_;
  std::vector<float> row_;
  std::uint32_t changed_ = 0;
  Loss loss_;
};

}  // namespace

Result<Conversion> convert_stock(const std::filesystem::path& from, const std::filesystem::path& to,
                                 Precision precision, const WriteProgress& tell) {
  Conversion result;
  result.to.precision = precision;
  {
    const auto stock = Stock::open_mapped(from);
    if (!stock) return stock.error();
    const SafetensorsFile& file = stock->file();
    result.from = {stock->computed_identity().trunk, stock->precision(),
                   std::filesystem::file_size(from)};
    result.tensors = static_cast<std::uint32_t>(file.tensors().size());
    Converter converter(file, precision);
    if (auto done = converter.run(); !done) return done.error();
    result.changed = converter.changed();
    result.error = converter.error();
    Metadata metadata = file.metadata();
    metadata["precision"] = to_string(precision);
    if (auto done = write_safetensors(to, converter.tensors(), metadata, tell); !done)
      return done.error();
    if (auto same = file.unchanged(); !same) {
      std::filesystem::remove(to);
      return same.error();
    }
  }
  // What a reader sees, not what was meant to be written.
  const auto written = Stock::open_mapped(to);
  if (!written) return written.error();
  result.to.trunk_id = written->computed_identity().trunk;
  result.to.bytes = std::filesystem::file_size(to);
  return result;
}

}  // namespace cambium::nn
