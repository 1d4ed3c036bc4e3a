#include "stems/gr1/gr1_image_stem.hpp"

#include <utility>

#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "stems/gr1/one_observation.hpp"

namespace cambium::stems {

struct Gr1ImageStem::State {
  nn::Linear embed;
};

Gr1ImageStem::Gr1ImageStem() noexcept = default;
Gr1ImageStem::~Gr1ImageStem() = default;

Status Gr1ImageStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "stem 'gr1_image'";
    if (auto fits = check_one_observation(owner, spec, 1); !fits) return fits;
    if (auto fits = check_one_token(owner, spec); !fits) return fits;
    nn::ParameterReader parameters(owner, spec.parameters);
    const std::string camera = parameters.word("camera", "static", {"static", "hand"});
    if (auto read = parameters.finish(); !read) return read;

    auto state = std::make_unique<State>();
    nn::WeightReader weights(owner, spec.weights);
    state->embed = nn::Linear(weights, of_camera(camera, "img"), spec.shape[0], spec.width);
    if (auto taken = weights.finish(); !taken) return taken;
    state_ = std::move(state);
    return {};
  });
}

Status Gr1ImageStem::encode(SensorWindow window, TokensView out) noexcept {
  if (!state_) return Code::unavailable;
  const nn::Linear& embed = state_->embed;
  if (!fits(window, 1, embed.in()) || !fits(out, 1, embed.out())) return Code::bad_argument;
  embed.run(window.data, 1, out.data);
  return {};
}

void Gr1ImageStem::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::stems
