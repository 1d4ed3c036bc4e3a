#include "core/learn/policy.hpp"

#include <algorithm>

#include "core/nn/bundle.hpp"

namespace cambium::learn {
namespace {

// tokens[b * count + index] = token[b] + position
template <class T>
void place_token(std::size_t batch, std::size_t count, std::size_t index, std::size_t width,
                 const T* token, const T* position, T* tokens) {
  for (std::size_t b = 0; b < batch; ++b) {
    T* to = tokens + (b * count + index) * width;
    for (std::size_t j = 0; j < width; ++j) to[j] = token[b * width + j] + position[j];
  }
}

template <class T>
void take_token(std::size_t batch, std::size_t count, std::size_t index, std::size_t width,
                const T* tokens, T* token) {
  for (std::size_t b = 0; b < batch; ++b)
    std::copy_n(tokens + (b * count + index) * width, width, token + b * width);
}

template <class T>
void mean_tokens(std::size_t batch, std::size_t count, std::size_t width, const T* tokens,
                 T* features) {
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t j = 0; j < width; ++j) {
      T sum = 0;
      for (std::size_t i = 0; i < count; ++i) sum += tokens[(b * count + i) * width + j];
      features[b * width + j] = sum / static_cast<T>(count);
    }
}

template <class T>
void spread_mean(std::size_t batch, std::size_t count, std::size_t width, const T* dfeatures,
                 T* dtokens) {
  for (std::size_t b = 0; b < batch; ++b)
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < width; ++j)
        dtokens[(b * count + i) * width + j] = dfeatures[b * width + j] / static_cast<T>(count);
}

double multiply_adds(const Mlp& mlp) {
  double sum = 0;
  for (const Linear& layer : mlp.layers) sum += static_cast<double>(layer.in * layer.out);
  return sum;
}

}  // namespace

Policy::Policy(const nn::TrunkShape& shape) : shape_(shape) {
  for (std::uint32_t i = 0; i < shape.blocks; ++i)
    blocks_.emplace_back(layout_, "trunk.blocks." + std::to_string(i) + ".", shape.width,
                         shape.heads, shape.mlp_ratio);
  stock_ = {0, layout_.size()};
}

void Policy::add_shared_stem(const std::string& sensor, std::size_t size,
                             const std::vector<std::uint32_t>& widths) {
  shared_.push_back(
      {sensor, Mlp(layout_, nn::shared_stem_prefix(sensor), size, widths, shape_.width)});
  stock_.end = layout_.size();
}

void Policy::add_body(const std::string& name, const std::vector<SensorSize>& sensors,
                      std::size_t outputs, const std::vector<std::uint32_t>& stem_widths,
                      const std::vector<std::uint32_t>& head_widths) {
  Body body;
  body.name = name;
  body.outputs = outputs;
  body.own.begin = layout_.size();
  for (const auto& [sensor, size, shared] : sensors)
    body.stems.push_back(
        {sensor, size, shared,
         shared ? std::ranges::find(shared_, sensor, &SharedStem::sensor)->net
                : Mlp(layout_, nn::stem_prefix(name, sensor), size, stem_widths, shape_.width)});
  body.head = Mlp(layout_, nn::head_prefix(name), shape_.width, head_widths, outputs);
  body.own.end = layout_.size();
  bodies_.push_back(std::move(body));
}

template <class T>
void Policy::forward(const T* weights, const Body& body, std::size_t batch,
                     const std::vector<const T*>& inputs, PolicyTrace<T>& t) const {
  const std::size_t count = body.stems.size();
  const std::size_t width = shape_.width;
  t.stems.resize(count);
  t.blocks.resize(blocks_.size());
  t.tokens.resize(batch * count * width);
  t.features.resize(batch * width);
  if (t.positions.size() != count * width) t.positions = sinusoid<T>(count, width);

  for (std::size_t i = 0; i < count; ++i) {
    body.stems[i].net.forward(weights, batch, inputs[i], t.stems[i]);
    place_token(batch, count, i, width, t.stems[i].out.data(), t.positions.data() + i * width,
                t.tokens.data());
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i].forward(weights, batch, count, t.tokens.data(), t.blocks[i]);
  mean_tokens(batch, count, width, t.tokens.data(), t.features.data());
  body.head.forward(weights, batch, t.features.data(), t.head);
}

template <class T>
void Policy::backward(const T* weights, T* gradient, bool stock_is_frozen, const Body& body,
                      std::size_t batch, const std::vector<const T*>& inputs, PolicyTrace<T>& t,
                      const T* dout) const {
  const std::size_t count = body.stems.size();
  const std::size_t width = shape_.width;
  T* stock_gradient = stock_is_frozen ? nullptr : gradient;
  t.dfeatures.resize(batch * width);
  t.dtoken.resize(batch * width);

  body.head.backward(weights, gradient, batch, t.features.data(), t.head, dout, t.dfeatures.data());
  spread_mean(batch, count, width, t.dfeatures.data(), t.tokens.data());  // now their gradient
  for (std::size_t i = blocks_.size(); i-- > 0;)
    blocks_[i].backward(weights, stock_gradient, batch, count, t.blocks[i], t.scratch,
                        t.tokens.data());
  for (std::size_t i = 0; i < count; ++i) {
    const TokenStem& stem = body.stems[i];
    if (stem.shared && stock_is_frozen) continue;
    take_token(batch, count, i, width, t.tokens.data(), t.dtoken.data());
    stem.net.backward(weights, gradient, batch, inputs[i], t.stems[i], t.dtoken.data(),
                      static_cast<T*>(nullptr));
  }
}

double Policy::flops(const Body& body, bool stock_is_frozen) const {
  double block = 0;
  for (const Block& b : blocks_)
    for (const Linear* layer : {&b.in_proj, &b.out_proj, &b.fc1, &b.fc2})
      block += static_cast<double>(layer->in * layer->out * body.stems.size());
  double sum = block * (stock_is_frozen ? 2 : 3) + 3 * multiply_adds(body.head);
  for (const TokenStem& stem : body.stems)
    sum += multiply_adds(stem.net) * (stem.shared && stock_is_frozen ? 1 : 3);
  return 2 * sum;
}

#define CAMBIUM_INSTANTIATE(T)                                                               \
  template void Policy::forward<T>(const T*, const Body&, std::size_t,                       \
                                   const std::vector<const T*>&, PolicyTrace<T>&) const;     \
  template void Policy::backward<T>(const T*, T*, bool, const Body&, std::size_t,            \
                                    const std::vector<const T*>&, PolicyTrace<T>&, const T*) \
      const;
CAMBIUM_INSTANTIATE(float)
CAMBIUM_INSTANTIATE(double)
#undef CAMBIUM_INSTANTIATE

}  // namespace cambium::learn
