// tests/parity/parity_kinds.hpp: the kinds of case that there is code for. A case is recognised by
// what is in it, so that new ones with other sizes and names need no change here.
#pragma once

#include "core/nn/backend.hpp"
#include "core/nn/precision.hpp"
#include "tests/parity/parity_case.hpp"

namespace cambium::parity {

/// What computes the trunk. Stems and heads know neither: theirs are always Linear's f32.
struct Engine {
  nn::Backend backend;
  nn::Precision precision;
};

struct Kind {
  const char* name;
  bool (*recognises)(const Case&);
  /// Computes every out.* through the public interfaces; throws std::runtime_error with a sentence.
  Outputs (*run)(const Case&, Engine);
  /// Metadata key of the trunk's blocks, "" if it is one; null: no trunk in it.
  const char* blocks = nullptr;
  std::uint32_t products = 4;  ///< of a block, as rounding_tolerance() counts them
};

extern const Kind kStem, kMlp, kConv1d, kTransformerDecoder, kGmm, kDiffusion, kTrunk, kPolicy,
    kPolicyStream, kStreaming, kInfini;

}  // namespace cambium::parity
