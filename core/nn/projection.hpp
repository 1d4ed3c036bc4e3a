// core/nn/projection.hpp: the linear maps of a trunk that is run on one thread: rows of f32 in and
// out, whatever the products compute in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/huge_pages.hpp"
#include "core/nn/product.hpp"
#include "core/nn/stored_weights.hpp"

namespace cambium::nn {

/// y = x W^T + b, or y += x W^T + b. Made by a Projections, which has to live as long.
class Projection {
 public:
  Projection() = default;

  /// Rows of x and y are contiguous and may not overlap; both buffers hold
  /// padded_rows(max_rows) rows, of which those beyond `rows` may be read and overwritten. rows: at
  /// most max_rows. [loop, rt]
  Status run(const float* x, std::uint32_t rows, float* y) const noexcept;

  std::uint32_t in() const noexcept { return in_; }
  std::uint32_t out() const noexcept { return out_; }

 private:
  friend class Projections;
  class Projections* home_ = nullptr;
  Product* product_ = nullptr;
  std::unique_ptr<PackedWeights> weights_;
  std::uint32_t in_ = 0, out_ = 0;
};

/// Makes the projections of one model: those of one shape share a product, all share the memory of
/// the weights and the buffer in which rows are rounded.
///
/// Threads    One at a time, with all its projections.
/// Memory     Does not move: projections point to it.
class Projections {
 public:
  /// precision: what choose_precision() said. max_rows: of one call. [setup]
  Projections(Backend backend, Precision precision, std::uint32_t max_rows);
  Projections(const Projections&) = delete;
  Projections& operator=(const Projections&) = delete;

  /// `stacked` one above the other: so queries, keys and values, which read the same rows, are one
  /// product. All have the same columns. bias: (sum of rows), or empty for none. Throws nothing;
  /// what oneDNN or memory refuse is an error. [setup]
  Result<Projection> make(std::span<const StoredMatrix> stacked, std::span<const float> bias,
                          Epilogue epilogue = Epilogue::none);

  /// [B] of all weights, as computed with.
  std::uint64_t weight_bytes() const noexcept { return weight_bytes_; }
  /// What computes the first one: "brg:avx512_core". Empty before there is one.
  std::string implementation() const;
  /// Rows that a buffer of x or y has to hold.
  std::size_t buffer_rows() const noexcept { return padded_rows(max_rows_); }

 private:
  friend class Projection;
  using Key = std::tuple<std::uint32_t, std::uint32_t, Epilogue>;  // in, out

  /// As the products read them. [loop, rt]
  Activations rounded(const float* x, std::uint32_t rows, std::uint32_t columns) noexcept;

  Backend backend_;
  Precision precision_;
  std::uint32_t max_rows_;
  std::map<Key, std::unique_ptr<Product>> products_;
  base::HugePages memory_;
  std::vector<std::byte> rounded_;  // (buffer_rows, widest in), unless f32
  std::vector<float> scales_;       // int8: (buffer_rows)
  std::uint64_t weight_bytes_ = 0;
};

}  // namespace cambium::nn
