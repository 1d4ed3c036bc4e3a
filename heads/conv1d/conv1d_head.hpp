// heads/conv1d/conv1d_head.hpp: HPT's convolution over the time steps of a chunk.
#pragma once

#include <memory>

#include "cambium/head.hpp"

namespace cambium::heads {

/// Features are one row for each action of the chunk.
/// Parameters and weights: README.md beside this file.
class Conv1dHead final : public Head {
 public:
  Conv1dHead() noexcept;
  ~Conv1dHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
