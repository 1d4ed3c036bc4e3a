// heads/transformer_decoder/transformer_decoder_head.hpp: HPT's decoder with a learned query for
// each action.
#pragma once

#include <memory>

#include "cambium/head.hpp"

namespace cambium::heads {

/// Learned queries, one for each action of the chunk, read any number of feature rows.
/// Parameters and weights: README.md beside this file.
class TransformerDecoderHead final : public Head {
 public:
  TransformerDecoderHead() noexcept;
  ~TransformerDecoderHead();

  Status activate(const HeadSpec& spec, Message& why) noexcept override;
  Status decode(FeaturesView features, ChunkView out) noexcept override;
  void deactivate() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
