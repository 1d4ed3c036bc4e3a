// core/runtime/local_policy.hpp: a policy whose stems and head run on the robot's own thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "cambium/state.hpp"
#include "core/nn/bundle.hpp"
#include "core/nn/stock.hpp"
#include "core/plugin/embodiment.hpp"
#include "core/plugin/plugin_library.hpp"
#include "core/runtime/policy.hpp"

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

class LocalPolicy final : public Policy {
 public:
  /// Checks the contract (embodiment, dof, units, trunk, layout), then makes and activates stems
  /// and head. The first mismatch is an error that names both sides; nothing is half made. [setup]
  static Result<std::unique_ptr<Policy>> make(const PolicyParts& parts);
  ~LocalPolicy() override;

  Outcome encode(const ObservationWindow& window, std::span<float> out) noexcept override;
  Outcome decode(FeaturesView features, std::span<float> out) noexcept override;
  Outcome poll(std::span<float>) noexcept override { return {.status = Code::failed}; }
  void abandon() noexcept override {}
  const PolicyState& state() noexcept override;
  StateReport restore(const PolicyState& state) noexcept override;

 private:
  struct Input {
    std::size_t sensor = 0;  ///< index in the embodiment
    std::uint32_t horizon = 1, tokens = 1;
    nn::Normaliser normaliser;
    plugin::StemHandle stem;
    std::vector<float> scratch;  ///< (horizon, size) normalised; empty: as it is
  };

  LocalPolicy() = default;
  Result<void> add_input(const PolicyParts& parts, const nn::LayoutEntry& entry);
  Result<void> add_head(const PolicyParts& parts);
  Result<void> add_memory(Result<State*> state, std::string owner);

  std::vector<Input> inputs_;
  std::vector<float> action_tokens_;
  plugin::HeadHandle head_;
  nn::Normaliser action_normaliser_;
  std::vector<State*> memories_;  // of stems and head, those that have one
  PolicyState state_;             // one entry for each of them
  std::vector<std::byte> converted_;
};

}  // namespace cambium::runtime
