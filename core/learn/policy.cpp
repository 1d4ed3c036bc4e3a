#include "core/learn/policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/nearest.hpp"
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

Result<void> Policy::can_train(const std::string& architecture) {
  if (architecture == "hpt" || architecture == "streaming") return {};
  return Error{Code::bad_argument,
               fmt::format("a trunk of architecture '{}' cannot be trained here, only 'hpt' and "
                           "'streaming' can{}",
                           architecture, base::did_you_mean(architecture, {"hpt", "streaming"}))};
}

Policy::Policy(const nn::TrunkShape& shape) : shape_(shape) {
  if (shape.architecture == "streaming") {
    const auto number = [&](const char* name) {
      return std::strtod(shape.hyper_parameters.at(name).c_str(), nullptr);
    };
    streaming_.emplace(layout_,
                       StreamingTrunk::Spec{shape.width, shape.blocks, shape.heads,
                                            static_cast<std::size_t>(number("intermediate_size")),
                                            number("rope_theta")});
    stock_ = {0, layout_.size()};
    return;
  }
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
void Policy::forward(const T* weights, const Body& body, Batch batch,
                     const std::vector<const T*>& inputs, PolicyTrace<T>& t) const {
  const std::size_t rows = batch.rows();
  const std::size_t count = body.stems.size();
  const std::size_t width = shape_.width;
  t.stems.resize(count);
  t.blocks.resize(blocks_.size());
  t.tokens.resize(rows * count * width);
  t.features.resize(rows * width);
  if (t.positions.size() != count * width)
    t.positions = streaming_ ? std::vector<T>(count * width, T(0))  // has positions of its own
                             : sinusoid<T>(count, width);

  for (std::size_t i = 0; i < count; ++i) {
    body.stems[i].net.forward(weights, rows, inputs[i], t.stems[i]);
    place_token(rows, count, i, width, t.stems[i].out.data(), t.positions.data() + i * width,
                t.tokens.data());
  }
  if (streaming_)
    streaming_->forward(weights, batch.windows, batch.ticks * count, t.tokens.data(), t.streaming);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i].forward(weights, rows, count, t.tokens.data(), t.blocks[i]);
  mean_tokens(rows, count, width, t.tokens.data(), t.features.data());
  body.head.forward(weights, rows, t.features.data(), t.head);
}

template <class T>
void Policy::backward(const T* weights, T* gradient, bool stock_is_frozen, const Body& body,
                      Batch batch, const std::vector<const T*>& inputs, PolicyTrace<T>& t,
                      const T* dout) const {
  const std::size_t rows = batch.rows();
  const std::size_t count = body.stems.size();
  const std::size_t width = shape_.width;
  T* stock_gradient = stock_is_frozen ? nullptr : gradient;
  t.dfeatures.resize(rows * width);
  t.dtoken.resize(rows * width);

  body.head.backward(weights, gradient, rows, t.features.data(), t.head, dout, t.dfeatures.data());
  spread_mean(rows, count, width, t.dfeatures.data(), t.tokens.data());  // now their gradient
  if (streaming_)
    streaming_->backward(weights, stock_gradient, batch.windows, batch.ticks * count, t.streaming,
                         t.tokens.data());
  for (std::size_t i = blocks_.size(); i-- > 0;)
    blocks_[i].backward(weights, stock_gradient, rows, count, t.blocks[i], t.scratch,
                        t.tokens.data());
  for (std::size_t i = 0; i < count; ++i) {
    const TokenStem& stem = body.stems[i];
    if (stem.shared && stock_is_frozen) continue;
    take_token(rows, count, i, width, t.tokens.data(), t.dtoken.data());
    stem.net.backward(weights, gradient, rows, inputs[i], t.stems[i], t.dtoken.data(),
                      static_cast<T*>(nullptr));
  }
}

double Policy::flops(const Body& body, std::size_t ticks, bool stock_is_frozen) const {
  double block = streaming_ ? streaming_->multiply_adds(ticks * body.stems.size()) : 0;
  for (const Block& b : blocks_)
    for (const Linear* layer : {&b.in_proj, &b.out_proj, &b.fc1, &b.fc2})
      block += static_cast<double>(layer->in * layer->out * body.stems.size() * ticks);
  const auto each = static_cast<double>(ticks);
  double sum = block * (stock_is_frozen ? 2 : 3) + 3 * each * multiply_adds(body.head);
  for (const TokenStem& stem : body.stems)
    sum += each * multiply_adds(stem.net) * (stem.shared && stock_is_frozen ? 1 : 3);
  return 2 * sum;
}

#define CAMBIUM_INSTANTIATE(T)                                                                 \
  template void Policy::forward<T>(const T*, const Body&, Batch, const std::vector<const T*>&, \
                                   PolicyTrace<T>&) const;                                     \
  template void Policy::backward<T>(const T*, T*, bool, const Body&, Batch,                    \
                                    const std::vector<const T*>&, PolicyTrace<T>&, const T*)   \
      const;
CAMBIUM_INSTANTIATE(float)
CAMBIUM_INSTANTIATE(double)
#undef CAMBIUM_INSTANTIATE

}  // namespace cambium::learn
