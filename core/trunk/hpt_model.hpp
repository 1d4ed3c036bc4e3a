// core/trunk/hpt_model.hpp: HPT's trunk: a plain transformer over packed rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/huge_pages.hpp"
#include "core/base/team.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/product.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

struct HptSpec {
  std::uint32_t width = 0, blocks = 0, heads = 0;
  std::uint32_t mlp_ratio = 4;  ///< hidden width of a block's MLP, in widths
};

/// Per block: x += attention(LN(x)), x += MLP(LN(x)); one learned key and value follow those of
/// each segment; no final norm. golden/README.md, section 3.2, is the reference.
///
/// Several threads share the heads of the attention and the outputs of each product, so each
/// streams its own part of the weights; rows are shared where rows are independent. What is summed
/// is summed in the same order whatever the number of threads.
class HptModel final : public TrunkModel {
 public:
  /// weights   `blocks.{i}.…`; packed. incompatible naming what is missing, extra or misshapen.
  /// [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const HptSpec& spec,
                                                    std::span<const nn::StoredTensor> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  /// What one thread computes of every block, and where it puts it.
  struct Part {
    std::uint32_t first_head = 0, heads = 0;
    std::uint32_t first_out = 0, out = 0;        ///< of the width
    std::uint32_t first_hidden = 0, hidden = 0;  ///< of the MLP
    std::unique_ptr<nn::Product> in_proj, out_proj, fc1, fc2;
    base::HugePages memory;  ///< of its weights
    std::vector<float> qkv;  // (padded max_rows, 3 * heads * dim)
    std::vector<float> row;  // (width)
    std::vector<float> scratch;
    Status status;  ///< of the pass that runs
  };

  struct Block {
    nn::LayerNorm norm_1, norm_2;
    std::vector<float> bias_k, bias_v;
    struct Weights {
      std::unique_ptr<nn::PackedWeights> in_proj, out_proj, fc1, fc2;
    };
    std::vector<Weights> parts;
  };

  /// Weights and biases of a block's products, as they were given.
  struct GivenProduct {
    nn::StoredMatrix weight;
    std::vector<float> bias;
  };
  struct Given {
    GivenProduct in_proj, out_proj, fc1, fc2;
  };

  /// Rows as the products read them.
  struct Rows {
    std::vector<std::byte> data;  // (padded max_rows, columns), without gaps
    std::vector<float> scales;    // int8: (padded max_rows)

    nn::Activations view() const noexcept { return {data.data(), scales.data()}; }
  };

  HptModel(const HptSpec& spec, const ModelOptions& options, nn::ChosenPrecision chosen);
  void share_out();
  /// Its products, and its part of the weights laid out for them.
  Result<void> set_up_part(std::uint32_t part, std::span<const Given> given);
  Result<void> make_products(Part& part);
  void make_buffers();

  std::size_t dim() const noexcept { return spec_.width / spec_.heads; }
  std::size_t hidden() const noexcept { return std::size_t{spec_.mlp_ratio} * spec_.width; }
  bool int8() const noexcept { return info_.precision == nn::Precision::int8; }

  // What one thread does in a pass; `part` is its index.
  void run_blocks(std::uint32_t part) noexcept;
  void run_block(const Block& block, std::uint32_t part) noexcept;
  void attend(const Block& block, Part& own) noexcept;
  void normalise_rows(const nn::LayerNorm& norm, std::uint32_t part) noexcept;
  /// Numbers of its rows, `columns` each, into wide_.
  void convert_rows(const float* from, std::size_t columns, std::uint32_t part) noexcept;
  void convert(const float* row, std::size_t columns, Rows& to, std::size_t index) noexcept;

  HptSpec spec_;
  ModelOptions options_;
  ModelInfo info_;
  base::Team team_;
  std::vector<Part> parts_;
  std::vector<Block> blocks_;
  // (padded max_rows, …); the padding is computed and never read by a robot's rows.
  std::vector<float> x_;       // (…, width), between the blocks
  std::vector<float> mixed_;   // (…, width), int8: what attention made
  std::vector<float> hidden_;  // (…, hidden), int8: what fc1 made
  Rows narrow_;                // (…, width): what in_proj and fc1 read
  Rows wide_;  // (…, hidden): what fc2 reads; (…, width) of it: what out_proj reads
  // Of the pass that runs.
  std::span<const Segment> segments_;
  std::uint32_t rows_ = 0;
};

}  // namespace cambium::trunk
