// tests/unit/trunk_model/scan_weights.hpp: made-up trunks with retention or selective state spaces.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/trunk/models/mamba_model.hpp"
#include "core/trunk/models/retnet_model.hpp"
#include "tests/support/weights.hpp"

namespace cambium::test {

inline trunk::RetnetSpec small_retnet() {
  return {.width = 24, .blocks = 2, .heads = 3, .value_dim = 36, .ffn_dim = 40, .chunk = 16};
}

inline trunk::MambaSpec small_mamba() {
  return {.width = 24, .blocks = 2, .d_state = 5, .d_conv = 4, .expand = 3, .dt_rank = 3};
}

inline void add_retnet(WeightSet& set, const trunk::RetnetSpec& spec,
                       const std::string& prefix = "") {
  const auto ones = [&](const std::string& name) {
    set.add(prefix + name, {spec.width}, std::vector<float>(spec.width, 1.1f));
  };
  for (std::uint32_t i = 0; i < spec.blocks; ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const std::string name = prefix + layer;
    ones(layer + "retention_layer_norm.weight");
    ones(layer + "final_layer_norm.weight");
    set.linear(name + "retention.q_proj", spec.width, spec.width, false);
    set.linear(name + "retention.k_proj", spec.width, spec.width, false);
    set.linear(name + "retention.v_proj", spec.width, spec.value_dim, false);
    set.linear(name + "retention.g_proj", spec.width, spec.value_dim, false);
    set.linear(name + "retention.out_proj", spec.value_dim, spec.width, false);
    set.linear(name + "ffn.fc1", spec.width, spec.ffn_dim, false);
    set.linear(name + "ffn.gate", spec.width, spec.ffn_dim, false);
    set.linear(name + "ffn.fc2", spec.ffn_dim, spec.width, false);
  }
  ones("layer_norm.weight");
  std::vector<float> angles(spec.width / spec.heads), decays(spec.heads);
  for (std::size_t i = 0; i < angles.size(); ++i) {
    const double share = angles.size() == 2 ? 0 : double(i / 2) / double(angles.size() / 2 - 1);
    angles[i] = static_cast<float>(std::pow(10000.0, -share));
  }
  for (std::size_t h = 0; h < decays.size(); ++h)
    decays[h] = static_cast<float>(std::log1p(-std::pow(2.0, -5 - double(h))));
  set.add(prefix + "retnet_rel_pos.angle", {angles.size()}, angles);
  set.add(prefix + "retnet_rel_pos.decay", {decays.size()}, decays);
}

/// Slow enough that something is left of a token after fifty others.
inline void add_mamba(WeightSet& set, const trunk::MambaSpec& spec,
                      const std::string& prefix = "") {
  const std::uint64_t channels = std::uint64_t{spec.expand} * spec.width;
  for (std::uint32_t i = 0; i < spec.blocks; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".", name = layer + "mixer.";
    set.add(layer + "norm.weight", {spec.width}, std::vector<float>(spec.width, 0.9f));
    set.linear(name + "in_proj", spec.width, 2 * channels, spec.bias);
    set.add(name + "conv1d.weight", {channels, 1, spec.d_conv});
    if (spec.conv_bias) set.add(name + "conv1d.bias", {channels}, std::vector<float>(channels));
    set.linear(name + "x_proj", channels, spec.dt_rank + 2 * spec.d_state, false);
    set.add(name + "dt_proj.weight", {channels, spec.dt_rank});
    set.add(name + "dt_proj.bias", {channels}, std::vector<float>(channels, -1.0f));
    std::vector<float> rates(channels * spec.d_state);
    for (std::size_t j = 0; j < rates.size(); ++j)
      rates[j] = std::log((1.0f + static_cast<float>(j % spec.d_state)) / 16);
    set.add(name + "A_log", {channels, spec.d_state}, std::move(rates));
    set.add(name + "D", {channels}, std::vector<float>(channels, 1.0f));
    set.linear(name + "out_proj", channels, spec.width, spec.bias);
  }
  set.add(prefix + "norm_f.weight", {spec.width}, std::vector<float>(spec.width, 1.0f));
}

}  // namespace cambium::test
