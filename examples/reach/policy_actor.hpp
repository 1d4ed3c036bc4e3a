// examples/reach/policy_actor.hpp: a trained policy in one process: the arm's stems and head, the
// trunk and the safety gate, without sockets and without delay.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/nn/precision.hpp"
#include "core/plugin/plugin_library.hpp"
#include "examples/reach/evaluate.hpp"

namespace cambium::reach {

struct PolicyFiles {
  std::filesystem::path stock, bundle;
};

/// The policy as a host would run it. What is left out is time: each chunk is there at once.
class PolicyActor final : public Actor {
 public:
  /// library  the arm's plugin, with embodiment, stems and head
  /// replan   ticks that are played of each chunk, 1 to the bundle's horizon
  /// precision  wanted of the trunk's products; precision() says what this machine made of it
  /// Errors as the host's: the first thing that does not fit, both sides named. [setup]
  static Result<std::unique_ptr<PolicyActor>> make(const PolicyFiles& files,
                                                   const plugin::PluginLibrary& library,
                                                   std::uint32_t replan,
                                                   nn::Precision precision = nn::Precision::f32);
  ~PolicyActor() override;

  const std::string& trunk_id() const noexcept;
  nn::Precision precision() const noexcept;
  /// [1] of the last inference: what the trunk made of the tokens, pooled. Until the next act().
  std::span<const float> features() const noexcept;
  /// Per second, (horizon, dof) of the last inference: the head's actions, before the gate. Until
  /// the next act().
  std::span<const float> chunk() const noexcept;
  void restart() override;
  Result<void> act(std::span<const double> q, const Point& tool, const Point& goal,
                   std::span<double> action) override;

 private:
  struct State;
  explicit PolicyActor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cambium::reach
