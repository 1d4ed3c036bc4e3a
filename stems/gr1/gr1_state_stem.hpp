// stems/gr1/gr1_state_stem.hpp: arm and gripper become GR-1's state token.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

/// One token of an arm's numbers, followed by the two of its gripper, one of which is 1.
/// Parameters and weights: README.md beside this file.
class Gr1StateStem final : public Stem {
 public:
  Gr1StateStem() noexcept;
  ~Gr1StateStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::stems
