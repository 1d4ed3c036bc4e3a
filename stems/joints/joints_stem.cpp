#include "stems/joints/joints_stem.hpp"

#include <string>
#include <utility>
#include <vector>

#include "core/nn/joint_chain.hpp"
#include "core/nn/mlp.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "stems/stem_shape.hpp"

namespace cambium::stems {
namespace {

using nn::JointChain;

Result<void> check_sizes(const std::string& owner, const StemSpec& spec, std::size_t dof) {
  const auto refuse = [&](const std::string& what) {
    return Error{Code::incompatible, owner + ": " + what};
  };
  if (spec.rank != 1 || spec.shape[0] != dof)
    return refuse("its chain has " + std::to_string(dof) + " joints, the sensor has rank " +
                  std::to_string(spec.rank) + " and " + std::to_string(spec.shape[0]) + " numbers");
  if (spec.tokens != dof)
    return refuse("gives one token for each of " + std::to_string(dof) +
                  " joints, the layout has " + std::to_string(spec.tokens) + " tokens");
  if (spec.horizon != 1)
    return refuse("reads one observation, the window has " + std::to_string(spec.horizon));
  return {};
}

}  // namespace

struct JointsStem::State {
  State(nn::ChainSpec spec, std::uint32_t token_width)
      : chain(std::move(spec)), width(token_width) {
    for (const auto& joint : chain.spec().joints) {
      middle.push_back(static_cast<float>((joint.position_max + joint.position_min) / 2));
      half.push_back(static_cast<float>((joint.position_max - joint.position_min) / 2));
    }
    position.resize(chain.dof());
    features.resize(std::size_t{chain.dof()} * JointChain::kFeatures);
  }

  JointChain chain;
  std::uint32_t width;
  nn::Mlp net;
  std::vector<float> middle, half;  // [rad] or [m] (dof): what the host's normaliser took away
  std::vector<float> position;      // [rad] or [m] (dof)
  std::vector<float> features;      // (dof, kFeatures)
};

JointsStem::JointsStem() noexcept = default;
JointsStem::~JointsStem() = default;

Status JointsStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "stem 'joints'";
    if (auto sized = check_spec(owner, spec); !sized) return sized;
    nn::ParameterReader parameters(owner, spec.parameters);
    nn::MlpSpec net{.in = JointChain::kFeatures, .out = spec.width};
    net.widths = parameters.widths("widths", {128});
    nn::ChainSpec chain = parameters.chain("chain");
    if (auto read = parameters.finish(); !read) return read;
    if (auto sized = check_sizes(owner, spec, chain.joints.size()); !sized) return sized;

    auto state = std::make_unique<State>(std::move(chain), spec.width);
    nn::WeightReader weights(owner, spec.weights);
    state->net = nn::Mlp(weights, "net.", net, /*max_rows=*/spec.tokens);
    if (auto taken = weights.finish(); !taken) return taken;
    state_ = std::move(state);
    return {};
  });
}

Status JointsStem::encode(SensorWindow window, TokensView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  const std::uint32_t dof = s.chain.dof();
  if (!fits(window, 1, dof) || !fits(out, dof, s.width)) return Code::bad_argument;
  for (std::uint32_t i = 0; i < dof; ++i) s.position[i] = s.middle[i] + s.half[i] * window.data[i];
  s.chain.features(s.position, s.features);
  s.net.run(s.features.data(), dof, out.data);
  return {};
}

void JointsStem::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::stems
