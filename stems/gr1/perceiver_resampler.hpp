// stems/gr1/perceiver_resampler.hpp: learned latents read the patches of a picture, layer by layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/nn/linear.hpp"
#include "core/nn/weights.hpp"

namespace cambium::stems {

struct PerceiverResamplerSpec {
  std::uint32_t patches = 0;  ///< rows that are read
  std::uint32_t width = 0;    ///< of patches and latents
  std::uint32_t latents = 0;  ///< rows that come out
  std::uint32_t depth = 0, heads = 0, dim_head = 0;
};

/// Per layer: latents += attention from LN(latents) over [LN(patches), LN(latents)]; latents +=
/// MLP. At the end a LayerNorm. No biases but the norms'. golden/README.md, section 8, step 2.
class PerceiverResampler {
 public:
  PerceiverResampler() = default;
  /// Takes `prefix`latents, media_pos_emb, layers.{i}.…, norm; sizes its buffers. [setup]
  PerceiverResampler(nn::WeightReader& weights, const std::string& prefix,
                     const PerceiverResamplerSpec& spec);

  /// patches (patches, width); the latents (latents, width) are valid until the next call.
  /// [loop & active, rt]
  const float* run(const float* patches) noexcept;

 private:
  struct Layer {
    nn::LayerNorm norm_media, norm_latents;
    nn::Linear to_q, to_kv, to_out;
    nn::LayerNorm norm_mlp;
    nn::Linear in, out;
  };

  void attend(const Layer& layer) noexcept;
  void think(const Layer& layer) noexcept;

  PerceiverResamplerSpec spec_;
  std::vector<Layer> layers_;
  nn::LayerNorm norm_;
  std::vector<float> first_latents_;  // (latents, width)
  std::vector<float> position_;       // (width): of every patch, as there is one picture
  std::vector<float> media_;          // (patches, width)
  std::vector<float> latents_;        // (latents, width)
  std::vector<float> normed_;         // (patches + latents, width)
  std::vector<float> q_, attended_;   // (latents, inner)
  std::vector<float> kv_;             // (patches + latents, 2 inner): keys, then values
  std::vector<float> hidden_;         // (latents, hidden)
  std::vector<float> added_;          // (latents, width)
  std::vector<float> scratch_;
};

}  // namespace cambium::stems
