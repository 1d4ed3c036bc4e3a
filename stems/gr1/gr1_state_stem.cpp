#include "stems/gr1/gr1_state_stem.hpp"

#include <utility>
#include <vector>

#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "stems/gr1/one_observation.hpp"

namespace cambium::stems {
namespace {

constexpr std::uint32_t kGripper = 2;  // numbers: one-hot

}  // namespace

struct Gr1StateStem::State {
  nn::Linear arm, gripper, both;
  std::vector<float> parts;  // (2 width): of the arm, of the gripper
};

Gr1StateStem::Gr1StateStem() noexcept = default;
Gr1StateStem::~Gr1StateStem() = default;

Status Gr1StateStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "stem 'gr1_state'";
    if (auto fits = check_one_observation(owner, spec, 1); !fits) return fits;
    if (auto fits = check_one_token(owner, spec); !fits) return fits;
    nn::ParameterReader none(owner, spec.parameters);
    if (auto read = none.finish(); !read) return read;
    if (spec.shape[0] <= kGripper)
      return Error{Code::incompatible,
                   owner + ": the sensor has " + std::to_string(spec.shape[0]) +
                       " numbers, expected those of an arm and 2 of its gripper"};

    auto state = std::make_unique<State>();
    nn::WeightReader weights(owner, spec.weights);
    state->arm = nn::Linear(weights, "embed_arm_state", spec.shape[0] - kGripper, spec.width);
    state->gripper = nn::Linear(weights, "embed_gripper_state", kGripper, spec.width);
    state->both = nn::Linear(weights, "embed_state", 2 * spec.width, spec.width);
    if (auto taken = weights.finish(); !taken) return taken;
    state->parts.resize(2 * std::size_t{spec.width});
    state_ = std::move(state);
    return {};
  });
}

Status Gr1StateStem::encode(SensorWindow window, TokensView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  const std::uint32_t arm = s.arm.in(), width = s.both.out();
  if (!fits(window, 1, arm + kGripper) || !fits(out, 1, width)) return Code::bad_argument;
  s.arm.run(window.data, 1, s.parts.data());
  s.gripper.run(window.data + arm, 1, s.parts.data() + width);
  s.both.run(s.parts.data(), 1, out.data);
  return {};
}

void Gr1StateStem::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::stems
