#include "core/learn/layers.hpp"

#include <cmath>

#include "core/learn/attention.hpp"
#include "core/learn/elementwise.hpp"
#include "core/learn/product.hpp"

namespace cambium::learn {

Linear::Linear(ParameterLayout& layout, const std::string& weight_name,
               const std::string& bias_name, std::size_t in_size, std::size_t out_size)
    : in(in_size), out(out_size) {
  const double spread = 1 / std::sqrt(static_cast<double>(in));
  weight = layout.add(weight_name, {out, in}, spread);
  bias = layout.add(bias_name, {out}, spread);
}

Linear::Linear(ParameterLayout& layout, const std::string& weight_name, std::size_t in_size,
               std::size_t out_size)
    : bias(kNoBias), in(in_size), out(out_size) {
  weight = layout.add(weight_name, {out, in}, 1 / std::sqrt(static_cast<double>(in)));
}

template <class T>
void Linear::forward(const T* weights, std::size_t rows, const T* x, T* y, bool add) const {
  const bool begun = add || bias != kNoBias;
  if (!add && bias != kNoBias) fill_rows(rows, out, weights + bias, y);
  product(Op::plain, Op::transposed, rows, out, in, x, weights + weight, y, begun);
}

template <class T>
void Linear::backward(const T* weights, T* gradient, std::size_t rows, const T* x, const T* dy,
                      T* dx, bool add) const {
  if (gradient != nullptr) {
    product(Op::transposed, Op::plain, out, in, rows, dy, x, gradient + weight, false);
    if (bias != kNoBias) sum_rows(rows, out, dy, gradient + bias);
  }
  if (dx != nullptr) product(Op::plain, Op::plain, rows, in, out, dy, weights + weight, dx, add);
}

Mlp::Mlp(ParameterLayout& layout, const std::string& prefix, std::size_t in,
         const std::vector<std::uint32_t>& widths, std::size_t out) {
  std::vector<std::size_t> sizes = {in};
  sizes.insert(sizes.end(), widths.begin(), widths.end());
  sizes.push_back(out);
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    const std::string name = prefix + "net." + std::to_string(2 * i);  // SiLU counts, as in torch
    layers.emplace_back(layout, name + ".weight", name + ".bias", sizes[i], sizes[i + 1]);
  }
}

template <class T>
void Mlp::forward(const T* weights, std::size_t rows, const T* x, MlpTrace<T>& trace) const {
  trace.inputs.resize(layers.size() - 1);
  trace.slopes.resize(layers.size() - 1);
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    const std::size_t n = rows * layers[i].out;
    trace.before.resize(n);
    trace.inputs[i].resize(n);
    trace.slopes[i].resize(n);
    layers[i].forward(weights, rows, x, trace.before.data());
    silu(n, trace.before.data(), trace.inputs[i].data(), trace.slopes[i].data());
    x = trace.inputs[i].data();
  }
  trace.out.resize(rows * layers.back().out);
  layers.back().forward(weights, rows, x, trace.out.data());
}

template <class T>
void Mlp::backward(const T* weights, T* gradient, std::size_t rows, const T* x, MlpTrace<T>& trace,
                   const T* dy, T* dx) const {
  for (std::size_t i = layers.size() - 1; i > 0; --i) {
    const std::size_t n = rows * layers[i].in;
    trace.dnext.resize(n);
    layers[i].backward(weights, gradient, rows, trace.inputs[i - 1].data(), dy, trace.dnext.data());
    multiply(n, trace.dnext.data(), trace.slopes[i - 1].data(), trace.dnext.data());
    trace.dhidden.swap(trace.dnext);
    dy = trace.dhidden.data();
  }
  layers[0].backward(weights, gradient, rows, x, dy, dx);
}

Block::Block(ParameterLayout& layout, const std::string& prefix, std::size_t block_width,
             std::size_t block_heads, std::size_t mlp_ratio)
    : width(block_width), heads(block_heads) {
  norm_1_weight = layout.add(prefix + "norm_1.weight", {width}, 0, 1);
  norm_1_bias = layout.add(prefix + "norm_1.bias", {width}, 0);
  in_proj = Linear(layout, prefix + "attn.in_proj_weight", prefix + "attn.in_proj_bias", width,
                   3 * width);
  const double spread = std::sqrt(3.0 / static_cast<double>(width));  // deviation 1 / sqrt(width)
  bias_k = layout.add(prefix + "attn.bias_k", {1, 1, width}, spread);
  bias_v = layout.add(prefix + "attn.bias_v", {1, 1, width}, spread);
  out_proj =
      Linear(layout, prefix + "attn.out_proj.weight", prefix + "attn.out_proj.bias", width, width);
  norm_2_weight = layout.add(prefix + "norm_2.weight", {width}, 0, 1);
  norm_2_bias = layout.add(prefix + "norm_2.bias", {width}, 0);
  fc1 =
      Linear(layout, prefix + "mlp.fc1.weight", prefix + "mlp.fc1.bias", width, mlp_ratio * width);
  fc2 =
      Linear(layout, prefix + "mlp.fc2.weight", prefix + "mlp.fc2.bias", mlp_ratio * width, width);
}

template <class T>
void Block::forward(const T* weights, std::size_t batch, std::size_t tokens, T* x,
                    BlockTrace<T>& t) const {
  const std::size_t rows = batch * tokens;
  for (auto* narrow : {&t.unit_1, &t.normed_1, &t.context, &t.unit_2, &t.normed_2})
    narrow->resize(rows * width);
  for (auto* wide : {&t.hidden, &t.gelu, &t.slope}) wide->resize(rows * fc1.out);
  t.inverse_1.resize(rows);
  t.inverse_2.resize(rows);
  t.qkv.resize(rows * 3 * width);
  t.attention_weights.resize(rows * heads * (tokens + 1));

  layer_norm(rows, width, x, weights + norm_1_weight, weights + norm_1_bias, t.unit_1.data(),
             t.inverse_1.data(), t.normed_1.data());
  in_proj.forward(weights, rows, t.normed_1.data(), t.qkv.data());
  attention({batch, tokens, width, heads}, t.qkv.data(), weights + bias_k, weights + bias_v,
            t.attention_weights.data(), t.context.data());
  // normed_2 is free until the second norm writes it.
  out_proj.forward(weights, rows, t.context.data(), t.normed_2.data());
  add(rows * width, t.normed_2.data(), x);

  layer_norm(rows, width, x, weights + norm_2_weight, weights + norm_2_bias, t.unit_2.data(),
             t.inverse_2.data(), t.normed_2.data());
  fc1.forward(weights, rows, t.normed_2.data(), t.hidden.data());
  gelu(rows * fc1.out, t.hidden.data(), t.gelu.data(), t.slope.data());
  // So is hidden once its slope is known.
  fc2.forward(weights, rows, t.gelu.data(), t.hidden.data());
  add(rows * width, t.hidden.data(), x);
}

template <class T>
void Block::backward(const T* weights, T* gradient, std::size_t batch, std::size_t tokens,
                     const BlockTrace<T>& t, BlockScratch<T>& s, T* dx) const {
  const std::size_t rows = batch * tokens;
  s.wide.resize(rows * fc1.out);
  s.dqkv.resize(rows * 3 * width);
  s.narrow.resize(rows * width);
  const auto at = [&](std::size_t offset) -> T* {
    return gradient == nullptr ? nullptr : gradient + offset;
  };

  fc2.backward(weights, gradient, rows, t.gelu.data(), dx, s.wide.data());
  multiply(rows * fc1.out, s.wide.data(), t.slope.data(), s.wide.data());
  fc1.backward(weights, gradient, rows, t.normed_2.data(), s.wide.data(), s.narrow.data());
  layer_norm_backward(rows, width, s.narrow.data(), weights + norm_2_weight, t.unit_2.data(),
                      t.inverse_2.data(), dx, at(norm_2_weight), at(norm_2_bias));

  out_proj.backward(weights, gradient, rows, t.context.data(), dx, s.narrow.data());
  attention_backward({batch, tokens, width, heads}, t.qkv.data(), weights + bias_k,
                     weights + bias_v, t.attention_weights.data(), s.narrow.data(), s.dqkv.data(),
                     at(bias_k), at(bias_v));
  in_proj.backward(weights, gradient, rows, t.normed_1.data(), s.dqkv.data(), s.narrow.data());
  layer_norm_backward(rows, width, s.narrow.data(), weights + norm_1_weight, t.unit_1.data(),
                      t.inverse_1.data(), dx, at(norm_1_weight), at(norm_1_bias));
}

template <class T>
std::vector<T> sinusoid(std::size_t rows, std::size_t width) {
  std::vector<T> table(rows * width);
  for (std::size_t p = 0; p < rows; ++p)
    for (std::size_t j = 0; j < width; ++j) {
      const double exponent = 2.0 * static_cast<double>(j / 2) / static_cast<double>(width);
      const double angle = static_cast<double>(p) / std::pow(10000.0, exponent);
      table[p * width + j] = static_cast<T>(j % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  return table;
}

#define CAMBIUM_INSTANTIATE(T)                                                                    \
  template void Linear::forward<T>(const T*, std::size_t, const T*, T*, bool) const;              \
  template void Linear::backward<T>(const T*, T*, std::size_t, const T*, const T*, T*, bool)      \
      const;                                                                                      \
  template void Mlp::forward<T>(const T*, std::size_t, const T*, MlpTrace<T>&) const;             \
  template void Mlp::backward<T>(const T*, T*, std::size_t, const T*, MlpTrace<T>&, const T*, T*) \
      const;                                                                                      \
  template void Block::forward<T>(const T*, std::size_t, std::size_t, T*, BlockTrace<T>&) const;  \
  template void Block::backward<T>(const T*, T*, std::size_t, std::size_t, const BlockTrace<T>&,  \
                                   BlockScratch<T>&, T*) const;                                   \
  template std::vector<T> sinusoid<T>(std::size_t, std::size_t);
CAMBIUM_INSTANTIATE(float)
CAMBIUM_INSTANTIATE(double)
#undef CAMBIUM_INSTANTIATE

}  // namespace cambium::learn
