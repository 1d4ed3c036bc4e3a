#include "heads/gmm/gmm_head.hpp"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/kernels.hpp"
#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {

struct GmmHead::State {
  explicit State(const HeadSpec& spec) : shape(spec) {}

  HeadShape shape;
  std::vector<nn::Linear> share;
  nn::Linear mean, logits;
  std::vector<float> ping, pong;  // (hidden)
  std::vector<float> means;       // (modes, horizon * dof)
  std::vector<float> chances;     // (modes)
};

GmmHead::GmmHead() noexcept = default;
GmmHead::~GmmHead() = default;

Status GmmHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'gmm'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    const std::uint32_t hidden = parameters.count("hidden_size", 1024);
    const std::uint32_t layers = parameters.count("num_layers", 2, 1, 64);
    const std::uint32_t modes = parameters.count("num_modes", 5, 1, 1024);
    if (auto read = parameters.finish(); !read) return read;
    if (spec.features != 1) {
      return Error{Code::incompatible, owner +
                                           ": reads one feature row (pool the trunk's), but gets " +
                                           std::to_string(spec.features)};
    }

    auto state = std::make_unique<State>(spec);
    nn::WeightReader weights(owner, spec.weights);
    const std::uint32_t size = spec.horizon * spec.dof;
    for (std::uint32_t i = 0; i <= layers; ++i) {
      state->share.emplace_back(weights, "share." + std::to_string(2 * i),
                                i == 0 ? spec.width : hidden, hidden);
    }
    state->mean = nn::Linear(weights, "mean_layer", hidden, modes * size);
    state->logits = nn::Linear(weights, "logits_layer", hidden, modes);
    weights.ignore("logstd_layer.");  // the spread is learned, but not used to act
    if (auto taken = weights.finish(); !taken) return taken;
    state->ping.resize(hidden);
    state->pong.resize(hidden);
    state->means.resize(std::size_t{modes} * size);
    state->chances.resize(modes);
    state_ = std::move(state);
    return {};
  });
}

Status GmmHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!s.shape.fits(features, out)) return Code::bad_argument;
  const nn::Kernels& k = nn::kernels();
  const float* x = features.data;
  for (std::size_t i = 0; i < s.share.size(); ++i) {
    float* y = i % 2 == 0 ? s.ping.data() : s.pong.data();
    s.share[i].run(x, 1, y);
    if (i + 1 < s.share.size()) k.relu(y, s.share[i].out());
    x = y;
  }
  s.mean.run(x, 1, s.means.data());
  k.tanh(s.means.data(), s.means.size());
  s.logits.run(x, 1, s.chances.data());
  k.softmax(s.chances.data(), s.chances.size());
  const std::size_t size = std::size_t{out.horizon} * out.dof;
  std::memset(out.data, 0, size * sizeof(float));
  for (std::size_t m = 0; m < s.chances.size(); ++m) {
    for (std::size_t i = 0; i < size; ++i) out.data[i] += s.chances[m] * s.means[m * size + i];
  }
  return {};
}

void GmmHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
