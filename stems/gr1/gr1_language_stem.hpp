// stems/gr1/gr1_language_stem.hpp: a sentence's features become GR-1's language token.
#pragma once

#include <memory>

#include "cambium/stem.hpp"

namespace cambium::stems {

/// One token: the features, brought to length one, through a matrix. The same at every time step.
/// Parameters and weights: README.md beside this file.
class Gr1LanguageStem final : public Stem {
 public:
  Gr1LanguageStem() noexcept;
  ~Gr1LanguageStem();

  Status activate(const StemSpec& spec, Message& why) noexcept override;
  Status encode(SensorWindow window, TokensView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::stems
