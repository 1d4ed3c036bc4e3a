#include "core/trunk/models/llama_stack.hpp"

#include <algorithm>
#include <utility>

#include "core/nn/product.hpp"

namespace cambium::trunk {

std::string LlamaStack::block_name(std::uint32_t block) {
  return "model.layers." + std::to_string(block) + ".";
}

LlamaStack::Given LlamaStack::take(const LlamaSpec& spec, nn::StoredWeights& weights) {
  Given given;
  given.blocks.reserve(spec.blocks);
  for (std::uint32_t i = 0; i < spec.blocks && weights.ok(); ++i) {
    const std::string name = block_name(i);
    given.blocks.push_back(
        {.attention_norm = weights.take(name + "input_layernorm.weight", {spec.width}),
         .mlp_norm = weights.take(name + "post_attention_layernorm.weight", {spec.width}),
         .gate = weights.matrix(name + "mlp.gate_proj.weight", spec.hidden, spec.width),
         .up = weights.matrix(name + "mlp.up_proj.weight", spec.hidden, spec.width),
         .down = weights.matrix(name + "mlp.down_proj.weight", spec.width, spec.hidden)});
  }
  given.norm = weights.take("model.norm.weight", {spec.width});
  return given;
}

Result<LlamaStack> LlamaStack::create(const LlamaSpec& spec, Given given,
                                      nn::Projections& projections) {
  LlamaStack stack;
  stack.spec_ = spec;
  for (auto& from : given.blocks) {
    Block& block = stack.blocks_.emplace_back();
    block.attention_norm = std::move(from.attention_norm);
    block.mlp_norm = std::move(from.mlp_norm);
    const nn::StoredMatrix both[] = {from.gate, from.up};
    auto gate_up = projections.make(both, {});
    if (!gate_up) return std::move(gate_up).error();
    auto down = projections.make({&from.down, 1}, {}, nn::Epilogue::add);
    if (!down) return std::move(down).error();
    block.gate_up = std::move(*gate_up);
    block.down = std::move(*down);
  }
  stack.norm_ = std::move(given.norm);
  const std::size_t rows = projections.buffer_rows();
  stack.x_.resize(rows * spec.width);
  stack.normed_.resize(rows * spec.width);
  stack.gate_up_.resize(rows * 2 * spec.hidden);
  stack.hidden_.resize(rows * spec.hidden);
  return stack;
}

// The padding starts each time from zero: what grows in it over the blocks must stay small.
void LlamaStack::begin(std::uint32_t count, const float* rows) noexcept {
  count_ = count;
  const std::size_t size = std::size_t{count} * spec_.width;
  const std::size_t padded = std::size_t{nn::padded_rows(count)} * spec_.width;
  std::memcpy(x_.data(), rows, size * sizeof(float));
  std::fill(x_.data() + size, x_.data() + padded, 0.0f);
}

void LlamaStack::norm(const std::vector<float>& weight, float* y) const noexcept {
  nn::kernels().rms_norm(x_.data(), count_, spec_.width, weight.data(), spec_.eps, y);
}

Status LlamaStack::run_mlp(const Block& block) noexcept {
  norm(block.mlp_norm, normed_.data());
  if (const Status done = block.gate_up.run(normed_.data(), count_, gate_up_.data()); !done.ok())
    return done;
  const std::size_t hidden = spec_.hidden;
  for (std::size_t r = 0; r < count_; ++r) {
    float *const gate = gate_up_.data() + r * 2 * hidden, *const up = gate + hidden;
    nn::kernels().silu_times(gate, hidden, up);
    std::memcpy(hidden_.data() + r * hidden, up, hidden * sizeof(float));
  }
  return block.down.run(hidden_.data(), count_, x_.data());
}

}  // namespace cambium::trunk
