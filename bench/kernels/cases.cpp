#include "bench/kernels/cases.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <random>

namespace cambium::bench {
namespace {

using Floats = std::vector<float>;
constexpr std::size_t kHeads = 8;

Floats noise(std::size_t count, float spread, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  Floats values(count);
  for (float& value : values) value = normal(random);
  return values;
}

Job layer_norm(const nn::Kernels& kernels, std::size_t rows, std::size_t width) {
  struct Data {
    Floats x, weight, bias, y;
  };
  constexpr float kEps = 1e-6f;
  auto data = std::make_shared<Data>(
      Data{noise(rows * width, 2, 1), noise(width, 1, 2), noise(width, 1, 3), {}});
  data->y.resize(rows * width);
  return {.elements = rows * width,
          .run =
              [=, &kernels] {
                kernels.layer_norm(data->x.data(), rows, width, data->weight.data(),
                                   data->bias.data(), kEps, data->y.data());
              },
          .result = [=] { return data->y; },
          .expected = reference::layer_norm(data->x, width, data->weight, data->bias, kEps)};
}

Job attention(const nn::Kernels& kernels, std::size_t rows, std::size_t dim) {
  struct Data {
    Floats qkv, bias_key, bias_value, out, scratch;
    nn::AttentionArgs args;
  };
  const std::size_t width = kHeads * dim;
  auto data = std::make_shared<Data>();
  data->qkv = noise(rows * 3 * width, 1, 1);
  data->bias_key = noise(width, 1, 2);
  data->bias_value = noise(width, 1, 3);
  data->out.resize(rows * width);
  data->scratch.resize(nn::attention_scratch(rows, dim));
  data->args = {.q = data->qkv.data(),
                .q_stride = 3 * width,
                .rows = rows,
                .k = data->qkv.data() + width,
                .v = data->qkv.data() + 2 * width,
                .kv_stride = 3 * width,
                .keys = rows,
                .bias_key = data->bias_key.data(),
                .bias_value = data->bias_value.data(),
                .first_head = 0,
                .last_head = kHeads,
                .dim = dim,
                .scale = 1 / std::sqrt(static_cast<float>(dim)),
                .out = data->out.data(),
                .out_stride = width,
                .scratch = data->scratch.data()};
  return {.elements = rows * width,
          .run = [=, &kernels] { kernels.attention(data->args); },
          .result = [=] { return data->out; },
          .expected = reference::attention(data->args)};
}

using InPlace = void (*nn::Kernels::*)(float*, std::size_t) noexcept;
using Reference = reference::Numbers (*)(const Floats&);

/// In place, so each time on a fresh copy, which is part of the time.
Job in_place(const nn::Kernels& kernels, InPlace kernel, Reference expected, std::size_t count) {
  struct Data {
    Floats given, x;
  };
  auto data = std::make_shared<Data>(Data{noise(count, 3, 1), Floats(count)});
  return {.elements = count,
          .run =
              [=, &kernels] {
                std::copy(data->given.begin(), data->given.end(), data->x.begin());
                (kernels.*kernel)(data->x.data(), count);
              },
          .result = [=] { return data->x; },
          .expected = expected(data->given)};
}

Job to_bf16(const nn::Kernels& kernels, std::size_t count) {
  struct Data {
    Floats x;
    std::vector<std::uint16_t> y;
  };
  auto data = std::make_shared<Data>();
  data->x = noise(count, 3, 1);
  data->y.resize(count);
  return {.elements = count,
          .run = [=, &kernels] { kernels.to_bf16(data->x.data(), count, data->y.data()); },
          .result =
              [=] {
                Floats y;
                for (const std::uint32_t bits : data->y)
                  y.push_back(std::bit_cast<float>(bits << 16));
                return y;
              },
          .expected = reference::to_bf16(data->x)};
}

Job quantise(const nn::Kernels& kernels, std::size_t count) {
  struct Data {
    Floats x;
    std::vector<std::uint8_t> y;
    float scale = 0;
  };
  auto data = std::make_shared<Data>();
  data->x = noise(count, 3, 1);
  data->y.resize(count);
  return {
      .elements = count,
      .run = [=,
              &kernels] { data->scale = kernels.quantise(data->x.data(), count, data->y.data()); },
      .result =
          [=] {
            Floats y;
            for (const int byte : data->y)
              y.push_back(static_cast<float>(byte - 128) * data->scale);
            return y;
          },
      .expected = reference::quantised(data->x)};
}

Job rescale(const nn::Kernels& kernels, std::size_t rows, std::size_t width, bool gelu) {
  struct Data {
    std::vector<std::int32_t> sums, offsets;
    Floats row_scales, scales, bias, y;
    nn::RescaleArgs args;
  };
  auto data = std::make_shared<Data>();
  for (const float value : noise(rows * width, 1e6f, 1))
    data->sums.push_back(static_cast<std::int32_t>(value));
  for (const float value : noise(width, 1e5f, 2))
    data->offsets.push_back(static_cast<std::int32_t>(value));
  data->row_scales.assign(rows, 1e-3f);
  data->scales.assign(width, 2e-3f);
  data->bias = noise(width, 1, 3);
  data->y.resize(rows * width);
  data->args = {.sums = data->sums.data(),
                .rows = rows,
                .n = width,
                .row_scales = data->row_scales.data(),
                .scales = data->scales.data(),
                .offsets = data->offsets.data(),
                .bias = data->bias.data(),
                .y = data->y.data(),
                .y_stride = width,
                .gelu = gelu};
  return {.elements = rows * width,
          .run = [=, &kernels] { kernels.rescale(data->args); },
          .result = [=] { return data->y; },
          .expected = reference::rescale(data->args)};
}

std::string sized(const std::string& name, std::size_t size) {
  return "/" + name + ":" + std::to_string(size);
}

}  // namespace

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::size_t rows : {8, 32, 80}) {
    for (const std::size_t width : {128, 256, 512, 768}) {
      all.push_back({"layer_norm" + sized("rows", rows) + sized("width", width),
                     [=](const auto& kernels) { return layer_norm(kernels, rows, width); }});
    }
  }
  for (const std::size_t rows : {8, 17, 32, 80}) {
    for (const std::size_t dim : {16, 32, 48, 64}) {
      all.push_back({"attention" + sized("rows", rows) + sized("dim", dim),
                     [=](const auto& kernels) { return attention(kernels, rows, dim); }});
    }
  }
  for (const std::size_t count : {256, 768, 3072}) {
    all.push_back({"to_bf16" + sized("n", count),
                   [=](const auto& kernels) { return to_bf16(kernels, count); }});
    all.push_back({"quantise" + sized("n", count),
                   [=](const auto& kernels) { return quantise(kernels, count); }});
  }
  for (const bool gelu : {false, true}) {
    for (const std::size_t width : {256, 1024}) {
      all.push_back({(gelu ? "rescale_gelu/rows:32" : "rescale/rows:32") + sized("width", width),
                     [=](const auto& kernels) { return rescale(kernels, 32, width, gelu); }});
    }
  }
  const auto add = [&](const char* name, InPlace kernel, Reference expected,
                       std::initializer_list<std::size_t> counts) {
    for (const std::size_t count : counts) {
      all.push_back({name + sized("n", count), [=](const auto& kernels) {
                       return in_place(kernels, kernel, expected, count);
                     }});
    }
  };
  add("softmax", &nn::Kernels::softmax, reference::softmax, {9, 33, 81});
  add("gelu", &nn::Kernels::gelu, reference::gelu, {512, 1024, 3072});
  add("silu", &nn::Kernels::silu, reference::silu, {1024});
  add("mish", &nn::Kernels::mish, reference::mish, {1024});
  add("tanh", &nn::Kernels::tanh, reference::tanh, {1024});
  return all;
}

}  // namespace cambium::bench
