#include "tests/support/toy_files.hpp"

#include <cstdint>
#include <list>
#include <random>
#include <stdexcept>
#include <utility>

#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"

namespace cambium::test {

std::string write_toy_stock(const std::filesystem::path& file, unsigned seed) {
  std::mt19937 random(seed);
  std::list<std::vector<float>> storage;
  std::vector<nn::TensorToWrite> tensors;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
    std::size_t size = 1;
    for (const auto extent : shape) size *= extent;
    auto& values = storage.emplace_back(size);
    for (auto& value : values) value = std::uniform_real_distribution<float>(-0.3F, 0.3F)(random);
    tensors.push_back({"trunk.blocks.0." + name, nn::DType::f32, std::move(shape), values.data()});
  };
  constexpr std::uint64_t w = kToyWidth;
  for (const char* norm : {"norm_1", "norm_2"}) {
    add(std::string(norm) + ".weight", {w});
    add(std::string(norm) + ".bias", {w});
  }
  add("attn.in_proj_weight", {3 * w, w});
  add("attn.in_proj_bias", {3 * w});
  add("attn.bias_k", {1, 1, w});
  add("attn.bias_v", {1, 1, w});
  add("attn.out_proj.weight", {w, w});
  add("attn.out_proj.bias", {w});
  add("mlp.fc1.weight", {4 * w, w});
  add("mlp.fc1.bias", {4 * w});
  add("mlp.fc2.weight", {w, 4 * w});
  add("mlp.fc2.bias", {w});
  const auto stock =
      nn::write_stock(file, {.width = kToyWidth, .blocks = 1, .heads = 2}, {}, tensors, "random");
  if (!stock) throw std::runtime_error(stock.error().message);
  return stock->trunk_id();
}

void write_toy_bundle(const std::filesystem::path& file, const ToyBundle& toy) {
  nn::BundleSpec spec;
  spec.embodiment = toy.embodiment;
  spec.trunk_id = toy.trunk_id;
  spec.width = toy.width;
  spec.horizon = kToyHorizon;
  spec.dof = toy.dof;
  spec.control_hz = toy.control_hz;
  spec.layout = {{.sensor = "joint_position", .stem = "pass", .shape = {toy.dof}},
                 {.sensor = "goal", .stem = "pass", .shape = {3}}};
  if (toy.goal_first) std::swap(spec.layout[0], spec.layout[1]);
  spec.head = toy.head;
  const std::vector<float> one = {1.0F}, zero = {0.0F};
  std::vector<nn::TensorToWrite> tensors = {
      {nn::head_prefix(toy.embodiment) + "value", nn::DType::f32, {toy.dof}, toy.value.data()}};
  for (const char* name : {"joint_position", "goal", "action"}) {
    const auto prefix = nn::normaliser_prefix(toy.embodiment, name);
    tensors.push_back({prefix + "scale", nn::DType::f32, {1}, one.data()});
    tensors.push_back({prefix + "offset", nn::DType::f32, {1}, zero.data()});
  }
  if (const auto bundle = nn::write_bundle(file, spec, tensors); !bundle)
    throw std::runtime_error(bundle.error().message);
}

}  // namespace cambium::test
