#include "core/nn/projection.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/nn/kernels.hpp"

namespace cambium::nn {

Status Projection::run(const float* x, std::uint32_t rows, float* y) const noexcept {
  return product_->run(*weights_, home_->rounded(x, rows, in_), rows, y);
}

Projections::Projections(Backend backend, Precision precision, std::uint32_t max_rows)
    : backend_(backend), precision_(precision), max_rows_(max_rows) {
  if (precision == Precision::int8) scales_.resize(buffer_rows());
}

Result<Projection> Projections::make(std::span<const StoredMatrix> stacked,
                                     std::span<const float> bias, Epilogue epilogue) try {
  Projection made;
  made.home_ = this;
  made.in_ = static_cast<std::uint32_t>(stacked.front().columns());
  for (const auto& matrix : stacked) made.out_ += static_cast<std::uint32_t>(matrix.rows());
  auto& product = products_[{made.in_, made.out_, epilogue}];
  if (product == nullptr) {
    auto fresh = make_product({.backend = backend_,
                               .precision = precision_,
                               .max_rows = max_rows_,
                               .in = made.in_,
                               .out = made.out_,
                               .epilogue = epilogue});
    if (!fresh) return std::move(fresh).error();
    product = std::move(*fresh);
  }
  made.product_ = product.get();
  std::vector<float> weight(std::size_t{made.out_} * made.in_), whole_bias(made.out_);
  float* at = weight.data();
  for (const auto& matrix : stacked) {
    matrix.read_rows(0, matrix.rows(), at);
    at += matrix.rows() * matrix.columns();
  }
  std::copy(bias.begin(), bias.end(), whole_bias.begin());
  auto packed = product->pack(weight.data(), whole_bias.data(), memory_);
  if (!packed) return std::move(packed).error();
  made.weights_ = std::move(*packed);
  weight_bytes_ += made.weights_->bytes();
  if (precision_ != Precision::f32) {
    const std::size_t needed = buffer_rows() * made.in_ * size_of_activation(precision_);
    if (needed > rounded_.size()) rounded_.resize(needed);
  }
  return made;
} catch (const std::exception& problem) {
  return Error{Code::failed, problem.what()};
}

std::string Projections::implementation() const {
  return products_.empty() ? "" : products_.begin()->second->implementation();
}

Activations Projections::rounded(const float* x, std::uint32_t rows,
                                 std::uint32_t columns) noexcept {
  const std::size_t size = std::size_t{rows} * columns;
  switch (precision_) {
    case Precision::bf16:
      kernels().to_bf16(x, size, reinterpret_cast<std::uint16_t*>(rounded_.data()));
      return {rounded_.data(), nullptr};
    case Precision::int8:
      for (std::size_t r = 0; r < rows; ++r)
        scales_[r] =
            kernels().quantise(x + r * columns, columns,
                               reinterpret_cast<std::uint8_t*>(rounded_.data()) + r * columns);
      return {rounded_.data(), scales_.data()};
    default:
      return {x, nullptr};
  }
}

}  // namespace cambium::nn
