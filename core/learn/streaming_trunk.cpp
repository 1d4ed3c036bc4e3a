#include "core/learn/streaming_trunk.hpp"

#include "core/learn/elementwise.hpp"

namespace cambium::learn {

StreamingBlock::StreamingBlock(ParameterLayout& layout, const std::string& prefix,
                               std::size_t width, std::size_t hidden) {
  norm_1 = layout.add(prefix + "input_layernorm.weight", {width}, 0, 1);
  q = Linear(layout, prefix + "self_attn.q_proj.weight", width, width);
  k = Linear(layout, prefix + "self_attn.k_proj.weight", width, width);
  v = Linear(layout, prefix + "self_attn.v_proj.weight", width, width);
  o = Linear(layout, prefix + "self_attn.o_proj.weight", width, width);
  norm_2 = layout.add(prefix + "post_attention_layernorm.weight", {width}, 0, 1);
  gate = Linear(layout, prefix + "mlp.gate_proj.weight", width, hidden);
  up = Linear(layout, prefix + "mlp.up_proj.weight", width, hidden);
  down = Linear(layout, prefix + "mlp.down_proj.weight", hidden, width);
}

StreamingTrunk::StreamingTrunk(ParameterLayout& layout, const Spec& spec) : spec_(spec) {
  for (std::size_t i = 0; i < spec.blocks; ++i)
    blocks_.emplace_back(layout, "trunk.model.layers." + std::to_string(i) + ".", spec.width,
                         spec.hidden);
  norm_ = layout.add("trunk.model.norm.weight", {spec.width}, 0, 1);
}

template <class T>
void StreamingTrunk::forward(const T* weights, std::size_t batch, std::size_t tokens, T* x,
                             StreamingTrace<T>& t) const {
  const std::size_t rows = batch * tokens;
  const CausalShape shape = {batch, tokens, spec_.width, spec_.heads, spec_.rope_theta};
  t.blocks.resize(blocks_.size());
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    forward(blocks_[i], weights, shape, x, t.blocks[i]);
  t.unit.resize(rows * spec_.width);
  t.inverse.resize(rows);
  rms_norm(rows, spec_.width, x, weights + norm_, t.unit.data(), t.inverse.data(), x);
}

template <class T>
void StreamingTrunk::backward(const T* weights, T* gradient, std::size_t batch, std::size_t tokens,
                              StreamingTrace<T>& t, T* dx) const {
  const std::size_t rows = batch * tokens;
  const CausalShape shape = {batch, tokens, spec_.width, spec_.heads, spec_.rope_theta};
  t.narrow.assign(dx, dx + rows * spec_.width);
  std::fill_n(dx, rows * spec_.width, T(0));
  rms_norm_backward(rows, spec_.width, t.narrow.data(), weights + norm_, t.unit.data(),
                    t.inverse.data(), dx, gradient == nullptr ? nullptr : gradient + norm_);
  for (std::size_t i = blocks_.size(); i-- > 0;)
    backward(blocks_[i], weights, gradient, shape, t.blocks[i], t, dx);
}

template <class T>
void StreamingTrunk::forward(const StreamingBlock& b, const T* weights, const CausalShape& shape,
                             T* x, StreamingBlockTrace<T>& t) const {
  const std::size_t rows = shape.batch * shape.tokens;
  for (auto* narrow :
       {&t.unit_1, &t.normed_1, &t.q, &t.k, &t.v, &t.context, &t.unit_2, &t.normed_2})
    narrow->resize(rows * spec_.width);
  for (auto* wide : {&t.gate, &t.up, &t.silu, &t.slope, &t.hidden})
    wide->resize(rows * spec_.hidden);
  t.inverse_1.resize(rows);
  t.inverse_2.resize(rows);

  rms_norm(rows, spec_.width, x, weights + b.norm_1, t.unit_1.data(), t.inverse_1.data(),
           t.normed_1.data());
  b.q.forward(weights, rows, t.normed_1.data(), t.q.data());
  b.k.forward(weights, rows, t.normed_1.data(), t.k.data());
  b.v.forward(weights, rows, t.normed_1.data(), t.v.data());
  causal_attention(shape, t.q.data(), t.k.data(), t.v.data(), t.attention, t.context.data());
  b.o.forward(weights, rows, t.context.data(), x, true);

  rms_norm(rows, spec_.width, x, weights + b.norm_2, t.unit_2.data(), t.inverse_2.data(),
           t.normed_2.data());
  b.gate.forward(weights, rows, t.normed_2.data(), t.gate.data());
  b.up.forward(weights, rows, t.normed_2.data(), t.up.data());
  silu(rows * spec_.hidden, t.gate.data(), t.silu.data(), t.slope.data());
  multiply(rows * spec_.hidden, t.silu.data(), t.up.data(), t.hidden.data());
  b.down.forward(weights, rows, t.hidden.data(), x, true);
}

template <class T>
void StreamingTrunk::backward(const StreamingBlock& b, const T* weights, T* gradient,
                              const CausalShape& shape, StreamingBlockTrace<T>& t,
                              StreamingTrace<T>& s, T* dx) const {
  const std::size_t rows = shape.batch * shape.tokens;
  const std::size_t wide = rows * spec_.hidden;
  s.wide.resize(wide);
  s.wide_2.resize(wide);
  for (auto* narrow : {&s.narrow, &s.dq, &s.dk, &s.dv}) narrow->resize(rows * spec_.width);
  const auto at = [&](std::size_t offset) -> T* {
    return gradient == nullptr ? nullptr : gradient + offset;
  };

  b.down.backward(weights, gradient, rows, t.hidden.data(), dx, s.wide.data());
  multiply(wide, s.wide.data(), t.silu.data(), s.wide_2.data());  // of up
  multiply(wide, s.wide.data(), t.up.data(), s.wide.data());
  multiply(wide, s.wide.data(), t.slope.data(), s.wide.data());  // of gate
  b.gate.backward(weights, gradient, rows, t.normed_2.data(), s.wide.data(), s.narrow.data());
  b.up.backward(weights, gradient, rows, t.normed_2.data(), s.wide_2.data(), s.narrow.data(), true);
  rms_norm_backward(rows, spec_.width, s.narrow.data(), weights + b.norm_2, t.unit_2.data(),
                    t.inverse_2.data(), dx, at(b.norm_2));

  b.o.backward(weights, gradient, rows, t.context.data(), dx, s.narrow.data());
  causal_attention_backward(shape, t.attention, s.narrow.data(), s.dq.data(), s.dk.data(),
                            s.dv.data());
  b.q.backward(weights, gradient, rows, t.normed_1.data(), s.dq.data(), s.narrow.data());
  b.k.backward(weights, gradient, rows, t.normed_1.data(), s.dk.data(), s.narrow.data(), true);
  b.v.backward(weights, gradient, rows, t.normed_1.data(), s.dv.data(), s.narrow.data(), true);
  rms_norm_backward(rows, spec_.width, s.narrow.data(), weights + b.norm_1, t.unit_1.data(),
                    t.inverse_1.data(), dx, at(b.norm_1));
}

double StreamingTrunk::multiply_adds(std::size_t tokens) const {
  double row = 2.0 * static_cast<double>(tokens * spec_.width);  // scores and mixing
  if (!blocks_.empty()) {
    const StreamingBlock& b = blocks_.front();
    for (const Linear* layer : {&b.q, &b.k, &b.v, &b.o, &b.gate, &b.up, &b.down})
      row += static_cast<double>(layer->in * layer->out);
  }
  return row * static_cast<double>(tokens * blocks_.size());
}

#define CAMBIUM_INSTANTIATE(T)                                                      \
  template void StreamingTrunk::forward<T>(const T*, std::size_t, std::size_t, T*,  \
                                           StreamingTrace<T>&) const;               \
  template void StreamingTrunk::backward<T>(const T*, T*, std::size_t, std::size_t, \
                                            StreamingTrace<T>&, T*) const;
CAMBIUM_INSTANTIATE(float)
CAMBIUM_INSTANTIATE(double)
#undef CAMBIUM_INSTANTIATE

}  // namespace cambium::learn
