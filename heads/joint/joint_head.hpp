// heads/joint/joint_head.hpp: each joint's actions from the feature row of its own token.
#pragma once

#include <memory>

#include "cambium/head.hpp"

namespace cambium::heads {

/// One MLP, the same for every joint: its weights fit any body whose joints have a token each.
/// Parameters and weights: README.md beside this file.
class JointHead final : public Head {
 public:
  JointHead() noexcept;
  ~JointHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
