#include "heads/gr1_image/gr1_image_decoder.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/kernels.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {
namespace {

constexpr float kEps = 1e-5f;

struct Block {
  nn::LayerNorm norm1, norm2;
  nn::Linear qkv, proj, fc1, fc2;

  Block(nn::WeightReader& weights, const std::string& name, std::uint32_t width)
      : norm1(weights, name + "norm1", width, kEps),
        norm2(weights, name + "norm2", width, kEps),
        qkv(weights, name + "attn.qkv", width, 3 * width),
        proj(weights, name + "attn.proj", width, width) {
    const std::uint32_t hidden = weights.dimension(name + "mlp.fc1.weight", 0);
    fc1 = nn::Linear(weights, name + "mlp.fc1", width, hidden);
    fc2 = nn::Linear(weights, name + "mlp.fc2", hidden, width);
  }
};

}  // namespace

struct Gr1ImageDecoder::State {
  std::uint32_t queries = 0, patches = 0, width = 0, heads = 0;
  nn::Linear embed, predict;
  std::vector<float> masked;  // (patches, width): what stands for a patch that is to be predicted
  std::vector<Block> blocks;
  nn::LayerNorm norm;
  std::vector<float> x, normed, added;  // (queries + patches, width)
  std::vector<float> qkv;               // (queries + patches, 3 width)
  std::vector<float> hidden;            // (queries + patches, hidden)
  std::vector<float> scratch;

  std::uint32_t rows() const noexcept { return queries + patches; }
  void run(const Block& block) noexcept;
};

Gr1ImageDecoder::Gr1ImageDecoder() noexcept = default;
Gr1ImageDecoder::~Gr1ImageDecoder() = default;

Status Gr1ImageDecoder::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "image decoder 'gr1_image'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    const std::uint32_t heads = parameters.count("decoder_num_heads", 16, 1, 1024);
    const std::uint32_t depth = parameters.count("decoder_depth", 2, 1, 64);
    if (auto read = parameters.finish(); !read) return read;
    if (spec.width % heads != 0)
      return Error{Code::incompatible, owner + ": parameter 'decoder_num_heads' is " +
                                           std::to_string(heads) + ", expected a divisor of " +
                                           std::to_string(spec.width)};

    auto state = std::make_unique<State>();
    state->queries = spec.features;
    state->patches = spec.horizon;
    state->width = spec.width;
    state->heads = heads;
    nn::WeightReader weights(owner, spec.weights);
    state->embed = nn::Linear(weights, "decoder_embed", spec.width, spec.width);
    const auto mask = weights.take("mask_token", {1, 1, 1, spec.width});
    state->masked = weights.take("decoder_pos_embed", {1, spec.horizon, spec.width});
    for (std::uint32_t i = 0; i < depth && weights.ok(); ++i)
      state->blocks.emplace_back(weights, "decoder_blocks." + std::to_string(i) + ".", spec.width);
    state->norm = nn::LayerNorm(weights, "decoder_norm", spec.width, kEps);
    state->predict = nn::Linear(weights, "decoder_pred", spec.width, spec.dof);
    if (auto taken = weights.finish(); !taken) return taken;
    for (std::size_t i = 0; i < state->masked.size(); ++i) state->masked[i] += mask[i % spec.width];
    std::uint32_t hidden = 0;
    for (const Block& block : state->blocks) hidden = std::max(hidden, block.fc1.out());
    const std::size_t rows = state->rows();
    for (auto* buffer : {&state->x, &state->normed, &state->added})
      buffer->resize(rows * spec.width);
    state->qkv.resize(rows * 3 * spec.width);
    state->hidden.resize(rows * hidden);
    state->scratch.resize(nn::attention_scratch(rows, spec.width / heads));
    state_ = std::move(state);
    return {};
  });
}

void Gr1ImageDecoder::State::run(const Block& block) noexcept {
  const nn::Kernels& k = nn::kernels();
  const std::size_t dim = width / heads;
  block.norm1.run(x.data(), rows(), normed.data());
  block.qkv.run(normed.data(), rows(), qkv.data());
  k.attention({.q = qkv.data(),
               .q_stride = 3 * std::size_t{width},
               .rows = rows(),
               .k = qkv.data() + width,
               .v = qkv.data() + 2 * std::size_t{width},
               .kv_stride = 3 * std::size_t{width},
               .keys = rows(),
               .last_head = heads,
               .dim = dim,
               .scale = 1.0f / std::sqrt(static_cast<float>(dim)),
               .out = normed.data(),
               .out_stride = width,
               .scratch = scratch.data()});
  block.proj.run(normed.data(), rows(), added.data());
  k.add(added.data(), added.size(), x.data());
  block.norm2.run(x.data(), rows(), normed.data());
  block.fc1.run(normed.data(), rows(), hidden.data());
  k.gelu(hidden.data(), std::size_t{rows()} * block.fc1.out());
  block.fc2.run(hidden.data(), rows(), added.data());
  k.add(added.data(), added.size(), x.data());
}

Status Gr1ImageDecoder::run(FeaturesView queries, PatchesView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (queries.data == nullptr || queries.count != s.queries || queries.width != s.width ||
      out.data == nullptr || out.count != s.patches || out.size != s.predict.out())
    return Code::bad_argument;
  float* const patches = s.x.data() + std::size_t{s.queries} * s.width;
  s.embed.run(queries.data, s.queries, s.x.data());
  std::copy(s.masked.begin(), s.masked.end(), patches);
  for (const Block& block : s.blocks) s.run(block);
  s.norm.run(patches, s.patches, patches);
  s.predict.run(patches, s.patches, out.data);
  return {};
}

void Gr1ImageDecoder::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
