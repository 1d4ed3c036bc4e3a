// A bundle as a file: its contract, its numbers, and whether it fits the stock.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check/check.hpp"
#include "core/nn/joint_chain.hpp"

namespace cambium::check {
namespace {

Finding opens(Context& c) {
  const auto& spec = c.bundle().spec();
  return pass(fmt::format("for '{}' on trunk {}, head '{}'", spec.embodiment,
                          spec.trunk_id.substr(0, 16), spec.head));
}

/// open() has refused NaN and infinity already; this looks at what training should not give.
Finding weights_are_plausible(Context& c) {
  Remarks remarks;
  std::size_t numbers = 0;
  for (const auto& tensor : c.bundle().file().tensors()) {
    const auto values = need(c.bundle().file().read_f32(tensor.name));
    numbers += values.size();
    float largest = 0;
    for (const float value : values) {
      if (!std::isfinite(value))
        return fail(fmt::format("tensor '{}' holds NaN or infinity", tensor.name));
      largest = std::max(largest, std::abs(value));
    }
    if (tensor.name.starts_with("normalizer.")) continue;
    if (largest > 1e3F) remarks.add(fmt::format("tensor '{}' holds {:.3g}", tensor.name, largest));
    if (largest == 0 && tensor.name.ends_with("weight"))
      remarks.add(fmt::format("tensor '{}' is all zeros", tensor.name));
  }
  return std::move(remarks).finding(fmt::format("{} numbers", numbers));
}

void look_at(const nn::Normaliser& normaliser, std::string_view of, Remarks& remarks) {
  for (std::size_t i = 0; i < normaliser.scale().size(); ++i) {
    const float scale = normaliser.scale()[i], offset = normaliser.offset()[i];
    if (scale < 0)
      remarks.add(fmt::format("'{}' number {}: scale {} turns it round", of, i, scale));
    // The range that -1 to 1 stands for: micrometres and kilometres are slips of a unit.
    const float half = 1 / std::abs(scale);
    if (half < 1e-5F || half > 1e4F)
      remarks.add(fmt::format("'{}' number {}: -1 to 1 stands for +-{:.3g} around {:.3g}", of, i,
                              half, -offset / scale));
  }
}

// The stem turns normalised positions back by the limits of its chain.
void look_at_chain(const nn::LayoutEntry& entry, const nn::Normaliser& normaliser,
                   Remarks& remarks) {
  const auto text = entry.parameters.find("chain");
  if (text == entry.parameters.end()) return;
  const auto chain = nn::ChainSpec::from_text(text->second);
  if (!chain)
    throw Ended{fail(fmt::format("chain of '{}': {}", entry.sensor, chain.error().message))};
  const auto& scale = normaliser.scale();
  const auto& offset = normaliser.offset();
  for (std::size_t i = 0; i < chain->joints.size(); ++i) {
    const auto& joint = chain->joints[i];
    const std::size_t at = scale.size() == 1 ? 0 : std::min(i, scale.size() - 1);
    const double low = scale[at] * joint.position_min + offset[at];
    const double high = scale[at] * joint.position_max + offset[at];
    if (std::abs(low + 1) > 1e-3 || std::abs(high - 1) > 1e-3)
      remarks.add(
          fmt::format("'{}' number {}: the limits {} to {} of its chain become {:.3g} to "
                      "{:.3g}, expected -1 to 1",
                      entry.sensor, i, joint.position_min, joint.position_max, low, high));
  }
}

Finding normalisers_are_sane(Context& c) {
  Remarks remarks;
  for (const auto& entry : c.bundle().spec().layout) {
    look_at(c.bundle().normaliser(entry.sensor), entry.sensor, remarks);
    look_at_chain(entry, c.bundle().normaliser(entry.sensor), remarks);
  }
  look_at(c.bundle().action_normaliser(), "action", remarks);
  return std::move(remarks).finding();
}

Finding layout_is_plausible(Context& c) {
  const auto& spec = c.bundle().spec();
  Remarks remarks;
  const double seconds = spec.horizon / spec.control_hz;
  if (spec.horizon < 2)
    remarks.add("a chunk of one action leaves no time for the trunk: every tick would be late");
  if (seconds > 10) remarks.add(fmt::format("a chunk lasts {:.0f} s", seconds));
  if (spec.control_hz < 10 || spec.control_hz > 1000)
    remarks.add(fmt::format("control_hz {} lies outside 10 to 1000", spec.control_hz));
  if (spec.tokens() > 256)
    remarks.add(fmt::format("{} tokens, a trunk takes 256 unless told otherwise", spec.tokens()));
  const auto knows_the_body = [](const nn::LayoutEntry& e) {
    return !e.shared || e.parameters.contains("chain");
  };
  if (std::ranges::none_of(spec.layout, knows_the_body))
    remarks.add("all its stems are shared: it knows nothing of this body but its head");
  return std::move(remarks).finding(fmt::format("{} tokens of {} sensors, chunks of {} ({:.2f} s)",
                                                spec.tokens(), spec.layout.size(), spec.horizon,
                                                seconds));
}

Finding fits_the_stock(Context& c) {
  need(nn::check_fits(c.bundle(), c.stock()));
  return pass();
}

constexpr const char* kOpens = "opens";
constexpr Check kChecks[] = {
    {kOpens, opens},
    {"weights are finite and plausible", weights_are_plausible, {}, kOpens},
    {"normalisers are sane", normalisers_are_sane, {}, kOpens},
    {"layout is plausible", layout_is_plausible, {}, kOpens},
    {"fits the stock", fits_the_stock, {.stock = true}, kOpens},
};

}  // namespace

std::span<const Check> bundle_checks() noexcept {
  return kChecks;
}

}  // namespace cambium::check
