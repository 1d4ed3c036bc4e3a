#include "bench/synthetic_stock.hpp"

#include <cmath>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace cambium::bench {

Result<nn::Stock> write_synthetic_stock(const std::filesystem::path& file,
                                        const nn::TrunkShape& shape, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::deque<std::vector<float>> storage;
  std::vector<nn::TensorToWrite> tensors;
  const std::uint64_t width = shape.width, hidden = std::uint64_t{shape.mlp_ratio} * width;
  for (std::uint32_t block = 0; block < shape.blocks; ++block) {
    const std::string prefix = nn::kTrunkPrefix + ("blocks." + std::to_string(block)) + ".";
    // All between -bound and bound, or all `middle`.
    const auto add = [&](const char* name, std::vector<std::uint64_t> extents, float middle,
                         double bound) {
      std::size_t size = 1;
      for (const auto extent : extents) size *= extent;
      auto& values = storage.emplace_back(size, middle);
      std::uniform_real_distribution<float> any(static_cast<float>(-bound),
                                                static_cast<float>(bound));
      if (bound > 0)
        for (auto& value : values) value = any(random);
      tensors.push_back({prefix + name, nn::DType::f32, std::move(extents), values.data()});
    };
    const auto product = [&](const char* weight, const char* bias, std::uint64_t out,
                             std::uint64_t in) {
      const double bound = 1 / std::sqrt(static_cast<double>(in));
      add(weight, {out, in}, 0, bound);
      add(bias, {out}, 0, bound);
    };
    for (const char* norm : {"norm_1", "norm_2"}) {
      add((std::string(norm) + ".weight").c_str(), {width}, 1, 0);
      add((std::string(norm) + ".bias").c_str(), {width}, 0, 0);
    }
    product("attn.in_proj_weight", "attn.in_proj_bias", 3 * width, width);
    add("attn.bias_k", {1, 1, width}, 0, 0.1);
    add("attn.bias_v", {1, 1, width}, 0, 0.1);
    product("attn.out_proj.weight", "attn.out_proj.bias", width, width);
    product("mlp.fc1.weight", "mlp.fc1.bias", hidden, width);
    product("mlp.fc2.weight", "mlp.fc2.bias", width, hidden);
  }
  return nn::write_stock(file, shape, {}, tensors, "random, for measurements");
}

}  // namespace cambium::bench
