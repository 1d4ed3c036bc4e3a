// heads/gmm/gmm_head.hpp: HPT's Gaussian mixture, read at its mean.
#pragma once

#include <memory>

#include "cambium/head.hpp"

namespace cambium::heads {

/// The action is the mean of the mixture: the modes' means, weighted by their probabilities.
/// Parameters and weights: README.md beside this file.
class GmmHead final : public Head {
 public:
  GmmHead() noexcept;
  ~GmmHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
