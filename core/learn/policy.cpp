#include "core/learn/policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/nearest.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/joint_chain.hpp"

namespace cambium::learn {
namespace {

// Tokens of one stem (rows, of_stem) become those from `first` on of each row's `count`, with their
// positions.
template <class T>
void place_tokens(std::size_t rows, std::size_t count, std::size_t first, std::size_t of_stem,
                  std::size_t width, const T* from, const T* positions, T* tokens) {
  for (std::size_t r = 0; r < rows; ++r) {
    T* to = tokens + (r * count + first) * width;
    for (std::size_t j = 0; j < of_stem * width; ++j)
      to[j] = from[r * of_stem * width + j] + positions[first * width + j];
  }
}

template <class T>
void take_tokens(std::size_t rows, std::size_t count, std::size_t first, std::size_t of_stem,
                 std::size_t width, const T* tokens, T* to) {
  for (std::size_t r = 0; r < rows; ++r)
    std::copy_n(tokens + (r * count + first) * width, of_stem * width, to + r * of_stem * width);
}

template <class T>
void mean_tokens(std::size_t count, std::size_t width, const T* tokens, T* mean) {
  for (std::size_t j = 0; j < width; ++j) {
    T sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += tokens[i * width + j];
    mean[j] = sum / static_cast<T>(count);
  }
}

// What a head reads: the mean of all tokens, or for each joint its token and that mean.
template <class T>
void gather_features(const Body& body, std::size_t rows, std::size_t width, const T* tokens,
                     T* features) {
  for (std::size_t r = 0; r < rows; ++r) {
    const T* row = tokens + r * body.tokens * width;
    T* to = features + r * body.features();
    if (body.head_kind == HeadKind::mlp) {
      mean_tokens(body.tokens, width, row, to);
      continue;
    }
    mean_tokens(body.tokens, width, row, to + width);
    for (std::size_t i = 0; i < body.dof; ++i) {
      std::copy_n(row + (body.first_joint + i) * width, width, to + 2 * i * width);
      if (i > 0) std::copy_n(to + width, width, to + (2 * i + 1) * width);
    }
  }
}

template <class T>
void spread_features(const Body& body, std::size_t rows, std::size_t width, const T* dfeatures,
                     T* dtokens) {
  const bool joints = body.head_kind == HeadKind::joint;
  const std::size_t means = joints ? body.dof : 1;
  const std::size_t stride = joints ? 2 * width : width;
  for (std::size_t r = 0; r < rows; ++r) {
    const T* from = dfeatures + r * body.features();
    T* row = dtokens + r * body.tokens * width;
    for (std::size_t j = 0; j < width; ++j) {
      T sum = 0;
      for (std::size_t i = 0; i < means; ++i) sum += from[i * stride + (stride - width) + j];
      row[j] = sum / static_cast<T>(body.tokens);
    }
    for (std::size_t i = 1; i < body.tokens; ++i) std::copy_n(row, width, row + i * width);
    for (std::size_t i = 0; joints && i < body.dof; ++i)
      for (std::size_t j = 0; j < width; ++j)
        row[(body.first_joint + i) * width + j] += from[i * stride + j];
  }
}

// (rows, joints, horizon) <-> (rows, horizon, joints): a head that goes joint by joint, and chunks.
template <class T>
void swap_axes(std::size_t rows, std::size_t outer, std::size_t inner, const T* from, T* to) {
  for (std::size_t r = 0; r < rows; ++r, from += outer * inner, to += outer * inner)
    for (std::size_t i = 0; i < outer; ++i)
      for (std::size_t j = 0; j < inner; ++j) to[j * outer + i] = from[i * inner + j];
}

double multiply_adds(const Mlp& mlp) {
  double sum = 0;
  for (const Linear& layer : mlp.layers) sum += static_cast<double>(layer.in * layer.out);
  return sum;
}

}  // namespace

std::size_t Body::features() const noexcept {
  return head.layers.front().in * (head_kind == HeadKind::joint ? dof : 1);
}

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

void Policy::add_shared_stem(const std::string& sensor, const std::vector<std::uint32_t>& shape,
                             const std::vector<std::uint32_t>& widths) {
  std::size_t size = shape.empty() ? nn::JointChain::kFeatures : 1;
  for (const std::uint32_t extent : shape) size *= extent;
  shared_.push_back(
      {sensor, shape, Mlp(layout_, nn::shared_stem_prefix(sensor), size, widths, shape_.width)});
  stock_.end = layout_.size();
}

void Policy::add_shared_head(std::size_t horizon, const std::vector<std::uint32_t>& widths) {
  shared_head_ =
      SharedHead{horizon, Mlp(layout_, nn::kSharedHeadPrefix, 2 * shape_.width, widths, horizon)};
  stock_.end = layout_.size();
}

void Policy::add_body(const std::string& name, const std::vector<StemSpec>& stems,
                      const HeadSpec& head) {
  Body body;
  body.name = name;
  body.horizon = head.horizon;
  body.dof = head.dof;
  body.head_kind = head.kind;
  body.head_is_shared = head.shared;
  body.own.begin = layout_.size();
  for (const StemSpec& stem : stems) {
    if (stem.sensor == "joint_position") body.first_joint = body.tokens;
    body.tokens += stem.tokens;
    body.stems.push_back({stem.sensor, stem.size, stem.tokens, stem.shared,
                          stem.shared
                              ? std::ranges::find(shared_, stem.sensor, &SharedStem::sensor)->net
                              : Mlp(layout_, nn::stem_prefix(name, stem.sensor),
                                    stem.size / stem.tokens, stem.widths, shape_.width)});
  }
  if (head.shared)
    body.head = shared_head_->net;
  else if (head.kind == HeadKind::joint)
    body.head = Mlp(layout_, nn::head_prefix(name), 2 * shape_.width, head.widths, head.horizon);
  else
    body.head =
        Mlp(layout_, nn::head_prefix(name), shape_.width, head.widths, head.horizon * head.dof);
  body.own.end = layout_.size();
  bodies_.push_back(std::move(body));
}

template <class T>
const T* Policy::forward(const T* weights, const Body& body, Batch batch,
                         const std::vector<const T*>& inputs, PolicyTrace<T>& t) const {
  forward_features(weights, body, batch, inputs, t);
  return forward_head(weights, body, batch.rows(), t.features.data(), t);
}

template <class T>
void Policy::forward_features(const T* weights, const Body& body, Batch batch,
                              const std::vector<const T*>& inputs, PolicyTrace<T>& t) const {
  const std::size_t rows = batch.rows();
  const std::size_t count = body.tokens;
  const std::size_t width = shape_.width;
  t.stems.resize(body.stems.size());
  t.blocks.resize(blocks_.size());
  t.tokens.resize(rows * count * width);
  t.features.resize(rows * body.features());
  if (t.positions.size() != count * width)
    t.positions = streaming_ ? std::vector<T>(count * width, T(0))  // has positions of its own
                             : sinusoid<T>(count, width);

  std::size_t first = 0;
  for (std::size_t i = 0; i < body.stems.size(); ++i) {
    const TokenStem& stem = body.stems[i];
    stem.net.forward(weights, rows * stem.tokens, inputs[i], t.stems[i]);
    place_tokens(rows, count, first, stem.tokens, width, t.stems[i].out.data(), t.positions.data(),
                 t.tokens.data());
    first += stem.tokens;
  }
  if (streaming_)
    streaming_->forward(weights, batch.windows, batch.ticks * count, t.tokens.data(), t.streaming);
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    blocks_[i].forward(weights, rows, count, t.tokens.data(), t.blocks[i]);
  gather_features(body, rows, width, t.tokens.data(), t.features.data());
}

template <class T>
const T* Policy::forward_head(const T* weights, const Body& body, std::size_t rows,
                              const T* features, PolicyTrace<T>& t) const {
  if (body.head_kind == HeadKind::mlp) {
    body.head.forward(weights, rows, features, t.head);
    return t.head.out.data();
  }
  body.head.forward(weights, rows * body.dof, features, t.head);
  t.actions.resize(rows * body.outputs());
  swap_axes(rows, body.dof, body.horizon, t.head.out.data(), t.actions.data());
  return t.actions.data();
}

template <class T>
void Policy::backward_head(const T* weights, T* gradient, const Body& body, std::size_t rows,
                           const T* features, PolicyTrace<T>& t, const T* dout,
                           T* dfeatures) const {
  if (body.head_kind == HeadKind::mlp) {
    body.head.backward(weights, gradient, rows, features, t.head, dout, dfeatures);
    return;
  }
  t.dactions.resize(rows * body.outputs());
  swap_axes(rows, body.horizon, body.dof, dout, t.dactions.data());
  body.head.backward(weights, gradient, rows * body.dof, features, t.head, t.dactions.data(),
                     dfeatures);
}

template <class T>
void Policy::backward(const T* weights, T* gradient, bool stock_is_frozen, const Body& body,
                      Batch batch, const std::vector<const T*>& inputs, PolicyTrace<T>& t,
                      const T* dout) const {
  const std::size_t rows = batch.rows();
  const std::size_t count = body.tokens;
  const std::size_t width = shape_.width;
  T* stock_gradient = stock_is_frozen ? nullptr : gradient;
  t.dfeatures.resize(rows * body.features());

  backward_head(weights, body.head_is_shared ? stock_gradient : gradient, body, rows,
                t.features.data(), t, dout, t.dfeatures.data());
  spread_features(body, rows, width, t.dfeatures.data(), t.tokens.data());  // now their gradient
  if (streaming_)
    streaming_->backward(weights, stock_gradient, batch.windows, batch.ticks * count, t.streaming,
                         t.tokens.data());
  for (std::size_t i = blocks_.size(); i-- > 0;)
    blocks_[i].backward(weights, stock_gradient, rows, count, t.blocks[i], t.scratch,
                        t.tokens.data());
  std::size_t first = 0;
  for (std::size_t i = 0; i < body.stems.size(); ++i) {
    const TokenStem& stem = body.stems[i];
    if (!(stem.shared && stock_is_frozen)) {
      t.dtoken.resize(rows * stem.tokens * width);
      take_tokens(rows, count, first, stem.tokens, width, t.tokens.data(), t.dtoken.data());
      stem.net.backward(weights, gradient, rows * stem.tokens, inputs[i], t.stems[i],
                        t.dtoken.data(), static_cast<T*>(nullptr));
    }
    first += stem.tokens;
  }
}

double Policy::flops(const Body& body, std::size_t ticks, bool stock_is_frozen) const {
  double block = streaming_ ? streaming_->multiply_adds(ticks * body.tokens) : 0;
  for (const Block& b : blocks_)
    for (const Linear* layer : {&b.in_proj, &b.out_proj, &b.fc1, &b.fc2})
      block += static_cast<double>(layer->in * layer->out * body.tokens * ticks);
  const auto each = static_cast<double>(ticks);
  double sum = block * (stock_is_frozen ? 2 : 3);
  for (const TokenStem& stem : body.stems)
    sum += each * static_cast<double>(stem.tokens) * multiply_adds(stem.net) *
           (stem.shared && stock_is_frozen ? 1 : 3);
  return 2 * sum + each * head_flops(body);
}

double Policy::head_flops(const Body& body) const {
  const double times = body.head_kind == HeadKind::joint ? static_cast<double>(body.dof) : 1;
  return 2 * 3 * times * multiply_adds(body.head);
}

#define CAMBIUM_INSTANTIATE(T)                                                                     \
  template const T* Policy::forward<T>(const T*, const Body&, Batch, const std::vector<const T*>&, \
                                       PolicyTrace<T>&) const;                                     \
  template void Policy::backward<T>(const T*, T*, bool, const Body&, Batch,                        \
                                    const std::vector<const T*>&, PolicyTrace<T>&, const T*)       \
      const;                                                                                       \
  template void Policy::forward_features<T>(const T*, const Body&, Batch,                          \
                                            const std::vector<const T*>&, PolicyTrace<T>&) const;  \
  template const T* Policy::forward_head<T>(const T*, const Body&, std::size_t, const T*,          \
                                            PolicyTrace<T>&) const;                                \
  template void Policy::backward_head<T>(const T*, T*, const Body&, std::size_t, const T*,         \
                                         PolicyTrace<T>&, const T*, T*) const;
CAMBIUM_INSTANTIATE(float)
CAMBIUM_INSTANTIATE(double)
#undef CAMBIUM_INSTANTIATE

}  // namespace cambium::learn
