#include "stems/gr1/gr1_language_stem.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include "core/nn/linear.hpp"
#include "core/nn/parameters.hpp"
#include "core/nn/set_up.hpp"
#include "core/nn/weights.hpp"
#include "stems/gr1/one_observation.hpp"

namespace cambium::stems {

struct Gr1LanguageStem::State {
  nn::Linear embed;
  std::vector<float> features;  // of length one
};

Gr1LanguageStem::Gr1LanguageStem() noexcept = default;
Gr1LanguageStem::~Gr1LanguageStem() = default;

Status Gr1LanguageStem::activate(const StemSpec& spec, Message& why) noexcept {
  return nn::set_up(why, [&]() -> Result<void> {
    const std::string owner = "stem 'gr1_language'";
    if (auto fits = check_one_observation(owner, spec, 1); !fits) return fits;
    if (auto fits = check_one_token(owner, spec); !fits) return fits;
    nn::ParameterReader none(owner, spec.parameters);
    if (auto read = none.finish(); !read) return read;

    auto state = std::make_unique<State>();
    nn::WeightReader weights(owner, spec.weights);
    state->embed = nn::Linear(weights, "embed_lang", spec.shape[0], spec.width);
    if (auto taken = weights.finish(); !taken) return taken;
    state->features.resize(spec.shape[0]);
    state_ = std::move(state);
    return {};
  });
}

Status Gr1LanguageStem::encode(SensorWindow window, TokensView out) noexcept {
  if (!state_) return Code::unavailable;
  State& s = *state_;
  if (!fits(window, 1, s.embed.in()) || !fits(out, 1, s.embed.out())) return Code::bad_argument;
  double squares = 0;
  for (std::uint32_t i = 0; i < window.size; ++i)
    squares += double{window.data[i]} * double{window.data[i]};
  const float length = static_cast<float>(std::sqrt(squares)) + 1e-6f;
  for (std::uint32_t i = 0; i < window.size; ++i) s.features[i] = window.data[i] / length;
  s.embed.run(s.features.data(), 1, out.data);
  return {};
}

void Gr1LanguageStem::deactivate() noexcept {
  state_.reset();
}

}  // namespace cambium::stems
