#include "heads/diffusion/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cambium::heads {
namespace {

/// Running product of 1 - beta: how much of the signal's power is left at each trained step.
std::vector<double> signal_power(std::uint32_t trained) {
  const auto cosine = [](double u) {
    const double c = std::cos((u + 0.008) / 1.008 * std::numbers::pi / 2);
    return c * c;
  };
  std::vector<double> power(trained);
  double product = 1;
  for (std::uint32_t i = 0; i < trained; ++i) {
    const double ratio = cosine((i + 1.0) / trained) / cosine(static_cast<double>(i) / trained);
    product *= 1.0 - std::min(1.0 - ratio, 0.999);
    power[i] = product;
  }
  return power;
}

}  // namespace

std::vector<DenoisingStep> make_schedule(Sampler sampler, std::uint32_t trained,
                                         std::uint32_t count) {
  const auto power = signal_power(trained);
  const std::uint32_t stride = trained / count;
  std::vector<DenoisingStep> steps(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t t = (count - 1 - i) * stride;
    const double now = power[t], then = t >= stride ? power[t - stride] : 1.0;
    DenoisingStep& step = steps[i];
    step.timestep = t;
    step.signal_share = static_cast<float>(std::sqrt(now));
    step.noise_share = static_cast<float>(std::sqrt(1 - now));
    if (sampler == Sampler::ddim) {
      step.keep_x0 = static_cast<float>(std::sqrt(then));
      step.keep_noise = static_cast<float>(std::sqrt(1 - then));
      continue;
    }
    const double kept = now / then, added = 1 - kept;  // of this step alone
    step.keep_x0 = static_cast<float>(std::sqrt(then) * added / (1 - now));
    step.keep_x = static_cast<float>(std::sqrt(kept) * (1 - then) / (1 - now));
    const double variance = std::max((1 - then) / (1 - now) * added, 1e-20);
    step.fresh_noise = t > 0 ? static_cast<float>(std::sqrt(variance)) : 0.0f;
  }
  return steps;
}

}  // namespace cambium::heads
