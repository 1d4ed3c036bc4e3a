// core/trunk/models/streaming_model.hpp: attention sinks (StreamingLLM): a LLaMA that remembers
// the first few tokens and the newest ones, for ever.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/nn/projection.hpp"
#include "core/nn/rotary.hpp"
#include "core/nn/stored_weights.hpp"
#include "core/trunk/model.hpp"
#include "core/trunk/models/attention_window.hpp"
#include "core/trunk/models/llama_stack.hpp"

namespace cambium::trunk {

struct StreamingSpec {
  LlamaSpec llama;
  std::uint32_t heads = 0, kv_heads = 0, head_dim = 0;
  double rope_theta = 10000;
  AttentionWindow window;
};

/// Positions are those inside the cache, as in the original; decision 0032 says how they are kept
/// without turning the cache anew at every step, and what a request of many tokens means.
/// golden/README.md, section 4, is the reference.
///
/// Memory     A robot's is 64 bytes (tokens seen), then for each block and each of its kv heads
///            keys (slots / 16, head_dim, 16), turned by their absolute position, and values
///            (slots, head_dim padded to 16), f32; slots: AttentionWindow::slots. What has not been
///            filled has no influence and begin() does not touch it, so that pages of a large
///            window are taken as it fills.
class StreamingModel final : public TrunkModel {
 public:
  /// weights   `model.layers.{i}.…`, `model.norm.weight`; packed. incompatible naming what is
  ///           missing, extra or misshapen, or which number of the spec is impossible. [setup]
  static Result<std::unique_ptr<TrunkModel>> create(const StreamingSpec& spec,
                                                    std::span<const nn::StoredTensor> weights,
                                                    const ModelOptions& options);

  const ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override;
  Status forward(std::span<const Segment> segments, float* rows) noexcept override;

 private:
  struct Given;
  struct Block {
    nn::Projection qkv, out;
  };
  /// New tokens whose keys are put into the memory together, before the first of them looks.
  struct Piece {
    std::byte* memory = nullptr;
    std::uint32_t row = 0, rows = 0;
    std::uint64_t token = 0;  ///< that row `row` is
    std::uint64_t seen = 0;   ///< tokens before the chunk that it is a part of
    std::uint32_t chunk = 0;  ///< tokens of that chunk
  };
  /// The runs of slots that the tokens of a piece look at, and which of them each sees.
  struct View {
    struct Run {
      std::uint64_t slot = 0, slots = 0;
      std::array<std::uint32_t, AttentionWindow::kPiece> first{}, last{};
    };
    std::array<Run, 3> runs;  ///< sinks, the ring, and the ring again where it has wrapped around
    std::size_t count = 0;
  };

  StreamingModel(const StreamingSpec& spec, const ModelOptions& options);
  Result<void> set_up(Given given);

  std::size_t q_columns() const noexcept { return std::size_t{spec_.heads} * spec_.head_dim; }
  std::size_t kv_columns() const noexcept { return std::size_t{spec_.kv_heads} * spec_.head_dim; }
  std::size_t qkv_columns() const noexcept { return q_columns() + 2 * kv_columns(); }

  template <class Visit>
  void for_each_piece(std::span<const Segment> segments, const Visit& visit) const noexcept;
  View view(const Piece& piece) const noexcept;
  void find_turns(std::span<const Segment> segments) noexcept;
  Status attend(std::uint32_t block, const float* normed, float* x) noexcept;
  void attend(std::uint32_t block, const Piece& piece) noexcept;

  StreamingSpec spec_;
  ModelOptions options_;
  ModelInfo info_;
  nn::Rotary rotary_;
  std::unique_ptr<nn::Projections> projections_;
  std::vector<Block> blocks_;
  LlamaStack stack_;
  // Buffers are (padded max_rows, …).
  std::vector<float> qkv_;     // (…, qkv_columns): queries and keys turned by absolute position
  std::vector<float> sink_q_;  // (…, q_columns): queries turned by their position in the cache
  std::vector<float> mixed_;   // (…, q_columns)
  std::vector<float> turns_;   // (…, head_dim), of absolute positions
  std::vector<float> sink_turns_;  // (…, head_dim), of positions in the cache
  std::vector<float> scratch_;
  // Of the pass that runs.
  std::span<const Segment> segments_;
  std::uint32_t rows_ = 0;
};

}  // namespace cambium::trunk
