// heads/gr1_action/gr1_action_head.hpp: GR-1's action query becomes an arm's numbers and a gripper.
#pragma once

#include <memory>

#include "cambium/head.hpp"

namespace cambium::heads {

/// Reads the first feature row, that of the action query; further ones are for who predicts images.
/// An action is the arm's numbers, then the gripper. Parameters and weights: README.md beside this
/// file.
class Gr1ActionHead final : public Head {
 public:
  Gr1ActionHead() noexcept;
  ~Gr1ActionHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
