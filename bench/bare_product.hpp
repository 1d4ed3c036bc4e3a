// bench/bare_product.hpp: one matrix product on oneDNN, with weights for many blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "bench/trunk_size.hpp"

namespace cambium::bench {

enum class Primitive { matmul, inner_product };
enum class Share { team, columns };  ///< oneDNN's threads share a product, or threads of ours do

struct Form {
  using Type = dnnl::memory::data_type;
  Primitive primitive = Primitive::matmul;
  Type in = Type::f32, weight = Type::f32, out = Type::f32;
  Share share = Share::team;
};

/// "matmul bf16 x bf16 -> f32, columns shared"
std::string name_of(const Form& form);

/// What all blocks' weights of one shape are packed from, and what goes in: whole numbers, so that
/// int8 has the same, small enough that bf16 rounds none of them.
struct Numbers {
  std::vector<float> weight;  ///< (out, in)
  std::vector<float> x;       ///< (rows, in)

  Numbers(ProductShape shape, std::uint32_t rows);
};

/// One product of a block, or a share of its columns. Prepared by the constructor, for as many
/// threads as OpenMP then gives the caller. oneDNN's errors are thrown. [setup]
class BareProduct {
 public:
  BareProduct(const dnnl::engine& engine, const Form& form, std::uint32_t rows, ProductShape shape,
              std::uint32_t first_column);

  std::size_t packed_size() const;  ///< [B] of one block's weights
  /// Packs the next block's weights into `place`, which is borrowed.
  void take(dnnl::stream& stream, Numbers& numbers, std::byte* place);
  void run(const dnnl::stream& stream, std::uint32_t block) const;
  /// The largest difference of some of the sums to the same in double, relative to the largest.
  double error(const Numbers& numbers) const;

 private:
  dnnl::engine engine_;
  std::uint32_t rows_;
  ProductShape shape_;
  std::uint32_t first_;
  dnnl::primitive primitive_;
  dnnl::memory::desc packed_, plain_;
  dnnl::memory x_, y_, scratchpad_;
  std::vector<dnnl::memory> weights_;  // one a block
};

}  // namespace cambium::bench
