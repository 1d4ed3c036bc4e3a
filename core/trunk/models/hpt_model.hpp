// core/trunk/models/hpt_model.hpp: HPT's trunk: a plain transformer over packed rows.
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
/// Several threads share the heads of the attention and the hidden numbers of the MLP: each has its
/// own part of all weights, and makes of its part a sum as wide as the residual; at two meetings a
/// block, every part adds the sums of all, in the same order, to a residual of its own. So nothing
/// else is exchanged, and no product reads or writes with gaps, which oneDNN would do slowly. The
/// number of threads changes results by what rounding a share instead of a whole changes.
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
  /// Rows as the products read them.
  struct Rows {
    std::vector<std::byte> data;  // (padded max_rows, columns), without gaps
    std::vector<float> scales;    // int8: (padded max_rows)

    nn::Activations view() const noexcept { return {data.data(), scales.data()}; }
    float* f32() noexcept { return reinterpret_cast<float*>(data.data()); }
  };

  /// What one thread computes of every block, and where. Buffers are (padded max_rows, …); the
  /// padding is computed and never read by a robot's rows.
  struct Part {
    std::uint32_t first_head = 0, heads = 0;
    std::uint32_t first_hidden = 0, hidden = 0;  ///< of the MLP
    std::unique_ptr<nn::Product> in_proj, out_proj, fc1, fc2;
    base::HugePages memory;        ///< of its weights
    std::vector<float> x;          // (…, width), the residual; the same in all parts
    std::vector<float> row;        // (width)
    Rows normed;                   // (…, width): what in_proj and fc1 read
    std::vector<float> qkv;        // (…, 3 * heads * dim)
    Rows mixed;                    // (…, heads * dim): what out_proj reads
    Rows hidden_rows;              // (…, hidden): what fc2 reads
    std::vector<float> unrounded;  // (…, hidden), int8: what fc1 made
    // (…, width), with other parts: its share of what attention and MLP add.
    std::vector<float> attention_sum, mlp_sum;
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

  HptModel(const HptSpec& spec, const ModelOptions& options, nn::ChosenPrecision chosen);
  /// What each part has, and its products.
  Result<void> share_out();
  /// Its part of the weights, laid out for its products.
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
  void normalise(const nn::LayerNorm& norm, Part& own) noexcept;
  /// Adds what all parts have summed, when they have.
  void add(std::vector<float> Part::*sum, Part& own) noexcept;
  void convert(const float* row, std::size_t columns, Rows& to, std::size_t index) noexcept;

  HptSpec spec_;
  ModelOptions options_;
  ModelInfo info_;
  base::Team team_;
  std::vector<Part> parts_;
  std::vector<Block> blocks_;
  // Of the pass that runs.
  std::span<const Segment> segments_;
  const float* given_ = nullptr;
  std::uint32_t rows_ = 0;
};

}  // namespace cambium::trunk
