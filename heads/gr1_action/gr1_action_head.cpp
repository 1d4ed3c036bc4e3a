#include "heads/gr1_action/gr1_action_head.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "heads/head_shape.hpp"

namespace cambium::heads {
namespace {

// One way or the other, as the original decides it; what is no number stays none.
float sign_of(float logit) noexcept {
  if (std::isnan(logit)) return logit;
  return 1.0f / (1.0f + std::exp(-logit)) > 0.5f ? 1.0f : -1.0f;
}

}  // namespace

struct Gr1ActionHead::State {
  explicit State(const HeadSpec& spec) : shape(spec) {}

  HeadShape shape;
  bool sign = true;
  nn::Linear first, second, arm, gripper;
  std::vector<float> hidden, wide;  // (first.out), (second.out)
  std::vector<float> arms, logits;  // (horizon, dof - 1), (horizon)
};

Gr1ActionHead::Gr1ActionHead() noexcept = default;
Gr1ActionHead::~Gr1ActionHead() = default;

Status Gr1ActionHead::activate(const HeadSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "head 'gr1_action'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    const bool sign = parameters.word("gripper", "sign", {"sign", "logit"}) == "sign";
    if (auto read = parameters.finish(); !read) return read;
    if (spec.dof < 2)
      return Error{Code::incompatible,
                   owner + ": actions of 1 number, expected an arm's and a gripper"};

    auto state = std::make_unique<State>(spec);
    state->sign = sign;
    nn::WeightReader weights(owner, spec.weights);
    const std::uint32_t hidden = weights.dimension("pred_act_mlps.0.weight", 0);
    const std::uint32_t wide = weights.dimension("pred_act_mlps.1.weight", 0);
    state->first = nn::Linear(weights, "pred_act_mlps.0", spec.width, hidden);
    state->second = nn::Linear(weights, "pred_act_mlps.1", hidden, wide);
    state->arm = nn::Linear(weights, "pred_arm_act", wide, spec.horizon * (spec.dof - 1));
    state->gripper = nn::Linear(weights, "pred_gripper_act", wide, spec.horizon);
    if (auto taken = weights.finish(); !taken) return taken;
    state->hidden.resize(hidden);
    state->wide.resize(wide);
    state->arms.resize(std::size_t{spec.horizon} * (spec.dof - 1));
    state->logits.resize(spec.horizon);
    state_ = std::move(state);
    return {};
  });
}

Status Gr1ActionHead::decode(FeaturesView features, ChunkView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!s.shape.fits(features, out)) return Code::bad_argument;
  s.first.run(features.data, 1, s.hidden.data());
  s.second.run(s.hidden.data(), 1, s.wide.data());
  s.arm.run(s.wide.data(), 1, s.arms.data());
  s.gripper.run(s.wide.data(), 1, s.logits.data());
  const std::size_t arm = out.dof - 1;
  for (std::size_t t = 0; t < out.horizon; ++t) {
    float* const action = out.data + t * out.dof;
    std::copy_n(s.arms.data() + t * arm, arm, action);
    action[arm] = s.sign ? sign_of(s.logits[t]) : s.logits[t];
  }
  return {};
}

void Gr1ActionHead::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::heads
