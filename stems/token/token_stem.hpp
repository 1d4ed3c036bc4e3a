// stems/token/token_stem.hpp: a window of one sensor becomes tokens through an MLP, without
// attention.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

/// Flattens the window, oldest first, and maps it to all tokens at once. A window that is still
/// shorter than the horizon is filled at its old end with its oldest observation.
/// Parameters and weights: README.md beside this file.
class TokenStem final : public Stem {
 public:
  TokenStem() noexcept;
  ~TokenStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::stems
