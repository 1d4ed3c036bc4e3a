// stems/latent/latent_encoder.hpp: what HPT's stems have in common: positions, an MLP per row, and
// learned queries that read the rows into a fixed number of tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cambium/result.hpp"
#include "cambium/stem.hpp"

namespace cambium::stems {

/// The encoder behind ProprioStem and ImageStem. An observation of shape (…, features) is as many
/// rows as its leading dimensions say.
class LatentEncoder {
 public:
  /// Errors begin with `owner`. [setup]
  static Result<std::unique_ptr<LatentEncoder>> create(const std::string& owner,
                                                       const StemSpec& spec);
  ~LatentEncoder();

  /// As Stem::encode(). [loop & active, rt]
  Status encode(SensorWindow window, TokensView out) noexcept;

 private:
  struct State;
  explicit LatentEncoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace cambium::stems
