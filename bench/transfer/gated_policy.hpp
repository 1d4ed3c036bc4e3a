// bench/transfer/gated_policy.hpp: a trained body as a robot would run it: chunks, and the safety
// gate behind them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/learn/ground.hpp"
#include "core/runtime/safety_gate.hpp"
#include "examples/tasks/task.hpp"

namespace cambium::transfer {

/// What is left out is time: each chunk is there at once. The gate is a host's, with the
/// embodiment's own limits.
class GatedPolicy final : public tasks::Actor {
 public:
  /// Borrows the policy for life.
  /// replan  ticks that are played of each chunk; more than the horizon counts as all of it
  /// incompatible names a sensor that the policy reads and the embodiment does not have. [setup]
  static Result<std::unique_ptr<GatedPolicy>> make(learn::BodyPolicy& policy,
                                                   const plugin::Embodiment& embodiment,
                                                   std::uint32_t replan);

  void restart() override;
  Result<void> act(std::span<const std::span<const float>> readings,
                   std::span<double> action) override;

 private:
  GatedPolicy(learn::BodyPolicy& policy, const plugin::Embodiment& embodiment,
              std::uint32_t replan);

  learn::BodyPolicy& policy_;
  runtime::SafetyGate gate_;
  double period_;  // [s]
  std::uint32_t replan_, played_;
  std::vector<std::size_t> order_;  // of the embodiment's sensors, as the policy reads them
  std::size_t joints_ = 0;          // which of the embodiment's sensors is joint_position
  std::vector<std::span<const float>> read_;
  std::vector<float> chunk_, action_;
};

}  // namespace cambium::transfer
