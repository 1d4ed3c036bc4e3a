#include "stems/gr1/perceiver_resampler.hpp"

#include <algorithm>
#include <cmath>

#include "core/nn/kernels.hpp"

namespace cambium::stems {
namespace {

constexpr float kEps = 1e-5f;

}  // namespace

PerceiverResampler::PerceiverResampler(nn::WeightReader& weights, const std::string& prefix,
                                       const PerceiverResamplerSpec& spec)
    : spec_(spec), layers_(spec.depth) {
  const std::uint32_t width = spec.width, inner = spec.heads * spec.dim_head;
  first_latents_ = weights.take(prefix + "latents", {spec.latents, width});
  position_ = weights.take(prefix + "media_pos_emb", {1, 1, width});
  std::uint32_t hidden = 0;
  for (std::uint32_t i = 0; i < spec.depth && weights.ok(); ++i) {
    const std::string name = prefix + "layers." + std::to_string(i) + ".";
    const auto linear = [&](const std::string& of, std::uint32_t in, std::uint32_t out) {
      return nn::Linear(weights, name + of, in, out, /*bias=*/false);
    };
    Layer& layer = layers_[i];
    layer.norm_media = nn::LayerNorm(weights, name + "0.norm_media", width, kEps);
    layer.norm_latents = nn::LayerNorm(weights, name + "0.norm_latents", width, kEps);
    layer.to_q = linear("0.to_q", width, inner);
    layer.to_kv = linear("0.to_kv", width, 2 * inner);
    layer.to_out = linear("0.to_out", inner, width);
    layer.norm_mlp = nn::LayerNorm(weights, name + "1.0", width, kEps);
    const std::uint32_t own = weights.dimension(name + "1.1.weight", 0);
    layer.in = linear("1.1", width, own);
    layer.out = linear("1.3", own, width);
    hidden = std::max(hidden, own);
  }
  norm_ = nn::LayerNorm(weights, prefix + "norm", width, kEps);
  if (!weights.ok()) return;
  const std::size_t rows = std::size_t{spec.patches} + spec.latents, latents = spec.latents;
  media_.resize(std::size_t{spec.patches} * width);
  latents_.resize(latents * width);
  normed_.resize(rows * width);
  q_.resize(latents * inner);
  attended_.resize(latents * inner);
  kv_.resize(rows * 2 * inner);
  hidden_.resize(latents * hidden);
  added_.resize(latents * width);
  scratch_.resize(nn::attention_scratch(rows, spec.dim_head));
}

const float* PerceiverResampler::run(const float* patches) noexcept {
  for (std::size_t i = 0; i < media_.size(); ++i)
    media_[i] = patches[i] + position_[i % spec_.width];
  std::copy(first_latents_.begin(), first_latents_.end(), latents_.begin());
  for (const Layer& layer : layers_) {
    attend(layer);
    think(layer);
  }
  norm_.run(latents_.data(), spec_.latents, latents_.data());
  return latents_.data();
}

void PerceiverResampler::attend(const Layer& layer) noexcept {
  const std::size_t inner = layer.to_q.out();
  float* const own = normed_.data() + media_.size();  // latents follow the patches
  layer.norm_media.run(media_.data(), spec_.patches, normed_.data());
  layer.norm_latents.run(latents_.data(), spec_.latents, own);
  layer.to_q.run(own, spec_.latents, q_.data());
  layer.to_kv.run(normed_.data(), spec_.patches + spec_.latents, kv_.data());
  nn::kernels().attention({.q = q_.data(),
                           .q_stride = inner,
                           .rows = spec_.latents,
                           .k = kv_.data(),
                           .v = kv_.data() + inner,
                           .kv_stride = 2 * inner,
                           .keys = std::size_t{spec_.patches} + spec_.latents,
                           .last_head = spec_.heads,
                           .dim = spec_.dim_head,
                           .scale = 1.0f / std::sqrt(static_cast<float>(spec_.dim_head)),
                           .out = attended_.data(),
                           .out_stride = inner,
                           .scratch = scratch_.data()});
  layer.to_out.run(attended_.data(), spec_.latents, added_.data());
  nn::kernels().add(added_.data(), added_.size(), latents_.data());
}

void PerceiverResampler::think(const Layer& layer) noexcept {
  layer.norm_mlp.run(latents_.data(), spec_.latents, normed_.data());
  layer.in.run(normed_.data(), spec_.latents, hidden_.data());
  nn::kernels().gelu(hidden_.data(), std::size_t{spec_.latents} * layer.in.out());
  layer.out.run(hidden_.data(), spec_.latents, added_.data());
  nn::kernels().add(added_.data(), added_.size(), latents_.data());
}

}  // namespace cambium::stems
