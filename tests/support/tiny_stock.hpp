// tests/support/tiny_stock.hpp: a real stock file, small enough to write in every test.
#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/nn/stock.hpp"

namespace cambium::test {

inline constexpr std::uint32_t kTinyWidth = 16;

/// Two blocks with weights that differ from each other; no shared stems.
inline nn::Stock write_tiny_stock(const std::filesystem::path& file) {
  constexpr std::uint64_t w = kTinyWidth;
  const std::map<std::string, std::vector<std::uint64_t>> shapes = {
      {"attn.bias_k", {1, 1, w}},     {"attn.bias_v", {1, 1, w}},
      {"attn.in_proj_bias", {3 * w}}, {"attn.in_proj_weight", {3 * w, w}},
      {"attn.out_proj.bias", {w}},    {"attn.out_proj.weight", {w, w}},
      {"mlp.fc1.bias", {4 * w}},      {"mlp.fc1.weight", {4 * w, w}},
      {"mlp.fc2.bias", {w}},          {"mlp.fc2.weight", {w, 4 * w}},
      {"norm_1.bias", {w}},           {"norm_1.weight", {w}},
      {"norm_2.bias", {w}},           {"norm_2.weight", {w}},
  };
  std::vector<std::vector<float>> data;
  std::vector<nn::TensorToWrite> tensors;
  for (int block = 0; block < 2; ++block)
    for (const auto& [name, shape] : shapes) {
      std::uint64_t size = 1;
      for (const auto extent : shape) size *= extent;
      auto& values = data.emplace_back(size);
      for (std::size_t i = 0; i < size; ++i)
        values[i] = static_cast<float>((i * 29 + data.size() * 53) % 83) * 0.006f - 0.25f;
      tensors.push_back({"trunk.blocks." + std::to_string(block) + "." + name, nn::DType::f32,
                         shape, values.data()});
    }
  auto stock = nn::write_stock(file, {"hpt", kTinyWidth, 2, 2, 4}, {}, tensors, "by hand");
  if (!stock) throw std::runtime_error(stock.error().message);
  return std::move(*stock);
}

}  // namespace cambium::test
