// heads/mlp/mlp_head.hpp: HPT's plain head: an MLP from features to actions.
#pragma once

#include <memory>

#include "cambium/head.hpp"

namespace cambium::heads {

/// One feature row gives the whole chunk, time-major; several rows (action tokens) give their share
/// of the chunk each, in order. Parameters and weights: README.md beside this file.
class MlpHead final : public Head {
 public:
  MlpHead() noexcept;
  ~MlpHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
