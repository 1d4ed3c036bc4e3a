#include "bench/synthetic_trunk.hpp"

#include <algorithm>
#include <cmath>

#include "core/trunk/models/hpt_model.hpp"

namespace cambium::bench {
namespace {

/// Marsaglia's xorshift: XLarge has 227 million weights, and nobody wants to wait for them.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  /// Uniform in [-1, 1).
  float next() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 32)) * 0x1p-31f;
  }

 private:
  std::uint64_t state_;
};

}  // namespace

SyntheticTrunk::SyntheticTrunk(const TrunkSize& size, std::uint64_t seed) : size_(size) {
  Noise noise(seed);
  const auto add = [&](std::string name, std::vector<std::uint64_t> shape, float mean,
                       float spread) {
    std::size_t count = 1;
    for (const auto n : shape) count *= n;
    std::vector<float> values(count, mean);
    if (spread != 0)
      for (float& value : values) value += spread * noise.next();
    tensors_.push_back({std::move(name), std::move(shape), std::move(values)});
  };
  const std::uint64_t width = size.width;
  for (std::uint32_t block = 0; block < size.blocks; ++block) {
    const std::string name = "blocks." + std::to_string(block) + ".";
    for (const char* norm : {"norm_1", "norm_2"}) {
      add(name + norm + ".weight", {width}, 1, 0);
      add(name + norm + ".bias", {width}, 0, 0);
    }
    add(name + "attn.bias_k", {1, 1, width}, 0, 1);
    add(name + "attn.bias_v", {1, 1, width}, 0, 1);
    const auto linear = [&](const std::string& weight, const std::string& bias, ProductShape s) {
      const float spread = 1 / std::sqrt(static_cast<float>(s.in));
      add(name + weight, {s.out, s.in}, 0, spread);
      add(name + bias, {s.out}, 0, spread);
    };
    const auto shapes = products_of_block(size.width);
    linear("attn.in_proj_weight", "attn.in_proj_bias", shapes[0]);
    linear("attn.out_proj.weight", "attn.out_proj.bias", shapes[1]);
    linear("mlp.fc1.weight", "mlp.fc1.bias", shapes[2]);
    linear("mlp.fc2.weight", "mlp.fc2.bias", shapes[3]);
  }
}

Result<std::unique_ptr<trunk::TrunkModel>> SyntheticTrunk::load(
    const trunk::ModelOptions& options) const {
  std::vector<TensorView> views;
  for (const auto& tensor : tensors_) {
    TensorView view{tensor.name.c_str(), tensor.values.data(),
                    static_cast<std::uint32_t>(tensor.shape.size())};
    std::copy(tensor.shape.begin(), tensor.shape.end(), view.shape);
    views.push_back(view);
  }
  return trunk::HptModel::create(
      {.width = size_.width, .blocks = size_.blocks, .heads = size_.heads}, nn::as_stored(views),
      options);
}

}  // namespace cambium::bench
