// core/runtime/policy.hpp: stems, normaliser and head of one generation, wired: observations to
// tokens, features to actions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cambium/frame.hpp"
#include "cambium/result.hpp"
#include "core/base/sha256.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/observation_window.hpp"

namespace cambium::runtime {

/// What a policy is made of. Borrowed until make() returns. The stock's shared stems are made by
/// the plugin's code, or the stem plugin's, from the stock's weights.
struct PolicyParts {
  const plugin::Embodiment& embodiment;
  const nn::Stock& stock;
  const nn::Bundle& bundle;
  const plugin::PluginLibrary& stem_library;
  const plugin::PluginLibrary& head_library;
  std::string head;  ///< empty: the one the bundle names
};

/// The sizes that the rest of the host needs.
struct PolicyShape {
  std::uint32_t tokens = 0;  ///< sent to the trunk, action tokens included
  std::uint32_t width = 0;
  std::uint32_t features = 0;  ///< rows that come back
  std::uint32_t horizon = 0, dof = 0;
  std::uint32_t observation_horizon = 1;
  std::uint8_t pooling = 0;  ///< wire::Pooling
  base::Digest trunk{};      ///< the only trunk it works with
};

/// Threads    One thread at a time.
/// Real time  encode() and decode() allocate nothing.
class Policy {
 public:
  /// Checks the contract (embodiment, dof, units, trunk, layout), then makes and activates stems
  /// and head. The first mismatch is an error that names both sides; nothing is half made. [setup]
  static Result<std::unique_ptr<Policy>> make(const PolicyParts& parts);
  ~Policy();
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;

  const PolicyShape& shape() const noexcept { return shape_; }
  const std::string& head_name() const noexcept { return head_name_; }

  /// window  [SI]  all sensors of the embodiment, at least one step
  /// out     [1]   (tokens, width)
  /// The detail of an error is the index of the layout entry. [loop, rt]
  Status encode(const ObservationWindow& window, std::span<float> out) noexcept;

  /// features  [1]                 (features, width)
  /// out       unit of the action  (horizon, dof)
  /// not_finite if the head gave NaN or infinity. [loop, rt]
  Status decode(FeaturesView features, std::span<float> out) noexcept;

 private:
  struct Input {
    std::size_t sensor = 0;  ///< index in the embodiment
    std::uint32_t horizon = 1, tokens = 1;
    nn::Normaliser normaliser;
    plugin::StemHandle stem;
    std::vector<float> scratch;  ///< (horizon, size) normalised
  };

  Policy() = default;
  Result<void> add_input(const PolicyParts& parts, const nn::LayoutEntry& entry);
  Result<void> add_head(const PolicyParts& parts);

  PolicyShape shape_;
  std::vector<Input> inputs_;
  std::vector<float> action_tokens_;
  std::string head_name_;
  plugin::HeadHandle head_;
  nn::Normaliser action_normaliser_;
};

}  // namespace cambium::runtime
