// cambium/head.hpp: the trunk's features become a chunk of one robot's actions.
#pragma once

#include <cstdint>
#include <span>

#include "cambium/frame.hpp"
#include "cambium/status.hpp"

namespace cambium {

/// Everything a head is sized by. Borrowed for activate(); copy what is needed later.
struct HeadSpec {
  std::uint32_t features =
      1;  ///< rows that the trunk gives back: 1 after mean pooling, else the action tokens
  std::uint32_t width = 0;    ///< of each row: the trunk's width
  std::uint32_t horizon = 0;  ///< actions in a chunk
  std::uint32_t dof = 0;      ///< numbers in an action
  std::span<const Parameter> parameters;
  std::span<const TensorView> weights;  ///< this head's own, names without prefix
};

/// Decodes features into a chunk of normalised actions; the host unnormalises and gates them.
///
/// Threads, memory and real time: as for Stem.
class Head {
 public:
  /// As Stem::activate(). [setup & !active]
  virtual Status activate(const HeadSpec& spec, Message& why) noexcept = 0;

  /// features  [1]  (features, width)
  /// out       [1]  (horizon, dof)   time-major, row 0 for the tick of the observation, written in
  /// full [loop & active, rt]
  virtual Status decode(FeaturesView features, ChunkView out) noexcept = 0;

  /// Gives back what activate() took. [setup & active]
  virtual void deactivate() noexcept = 0;

 protected:
  ~Head() = default;  // only the library that made it destroys it
};

}  // namespace cambium
