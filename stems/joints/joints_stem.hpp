// stems/joints/joints_stem.hpp: joint positions become one token a joint, which says what that
// joint can do from here on whatever body it is.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

/// Computes nn::JointChain::features of the body that its parameter `chain` describes and maps each
/// joint's row by one MLP, the same for every joint: its weights fit any body.
/// Parameters and weights: README.md beside this file.
class JointsStem final : public Stem {
 public:
  JointsStem() noexcept;
  ~JointsStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::stems
