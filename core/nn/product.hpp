// core/nn/product.hpp: the large matrix products of a trunk, y = epilogue(x W^T + b), prepared for
// a backend and a precision that are chosen at run time. Stems and heads, whose matrices are small,
// use Linear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "core/base/huge_pages.hpp"
#include "core/nn/backend.hpp"
#include "core/nn/precision.hpp"

namespace cambium::nn {

/// What happens to x W^T + b before it is stored.
enum class Epilogue : std::uint8_t {
  none,
  gelu,  ///< erf-GELU
  add    ///< added to what y holds
};

/// A product without its weights: the blocks of a trunk share one of each shape.
struct ProductSpec {
  Backend backend = default_backend();
  Precision precision = Precision::f32;
  std::uint32_t max_rows = 1;
  std::uint32_t in = 0, out = 0;
  Epilogue epilogue = Epilogue::none;
  bool y_bf16 = false;  ///< y is stored in bf16, else in f32; only with bf16 and without `add`
};

/// Rows as a product of each precision reads them: (rows, in), without gaps.
struct Activations {
  const void* data = nullptr;     ///< float, bf16 as std::uint16_t, or std::uint8_t
  const float* scales = nullptr;  ///< int8: (rows); a number is (byte - 128) * scale
};

/// [B] of one number of them. [any, rt]
constexpr std::size_t size_of_activation(Precision precision) noexcept {
  return precision == Precision::f32 ? 4 : precision == Precision::bf16 ? 2 : 1;
}

/// Each number of rows has to be prepared beforehand, so larger ones are rounded up to a few sizes.
/// A single robot's rows are exact. [any, rt]
std::uint32_t padded_rows(std::uint32_t rows) noexcept;

/// Weights in the layout of the product that packed them.
class PackedWeights {
 public:
  virtual ~PackedWeights() = default;
  virtual std::size_t bytes() const noexcept = 0;
};

/// One thread at a time; runs on the thread that calls.
class Product {
 public:
  virtual ~Product() = default;

  /// weight (out, in) row-major, bias (out): copied, rounded and laid out in `memory`, which has to
  /// live as long. Several threads may pack. [setup]
  virtual Result<std::unique_ptr<PackedWeights>> pack(const float* weight, const float* bias,
                                                      base::HugePages& memory) const = 0;
  /// y (rows, out), without gaps. Buffers of x and y hold padded_rows(max_rows) rows, of which
  /// those beyond `rows` may be read and overwritten. `weights` are this product's own. rows: at
  /// most `max_rows`. [loop, rt but for small argument tables that oneDNN makes inside each call]
  virtual Status run(const PackedWeights& weights, Activations x, std::uint32_t rows,
                     void* y) noexcept = 0;
  /// What computes it, as the library names it: "brg:avx512_core_bf16". [any]
  virtual std::string implementation() const = 0;
};

/// Everything that run() needs is made here. unavailable if the backend was not built in or this
/// machine has nothing for the precision. [setup]
Result<std::unique_ptr<Product>> make_product(const ProductSpec& spec);

/// What a backend computes on this machine when a precision is wanted, and why.
struct ChosenPrecision {
  Precision precision = Precision::f32;
  std::string why;  ///< "bf16 as wanted: avx512_core_bf16"
};

/// The wanted one, or the next exact one that is not slower than f32 here. [setup]
ChosenPrecision choose_precision(Backend backend, Precision wanted);

}  // namespace cambium::nn
