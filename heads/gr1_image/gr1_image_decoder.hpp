// heads/gr1_image/gr1_image_decoder.hpp: GR-1's observation queries become the picture that it
// expects to see next.
#pragma once

#include <cstdint>
#include <memory>

#include "cambium/frame.hpp"
#include "cambium/head.hpp"
#include "cambium/status.hpp"

namespace cambium::heads {

/// A picture as patches: (count, size) row-major.
struct PatchesView {
  float* data = nullptr;
  std::uint32_t count = 0;  ///< 196 of a picture of 14 x 14 patches
  std::uint32_t size = 0;   ///< numbers in a patch: 16 x 16 pixels of 3 colours
};

/// Decodes the outputs of one camera's observation queries into the patches of a predicted picture.
///
/// Not a Head: those make the actions that a host gates and a robot follows, and a picture is
/// neither. Who wants to look at it calls this beside the head, with the same features.
/// Parameters and weights: README.md beside this file.
///
/// Threads, memory and real time: as for Head.
class Gr1ImageDecoder {
 public:
  Gr1ImageDecoder() noexcept;
  ~Gr1ImageDecoder();

  /// As Head::activate(). features, width: the queries of one camera; horizon: patches of a
  /// picture; dof: numbers in a patch. [setup & !active]
  Status activate(const HeadSpec& spec, Message& why) noexcept;

  /// queries  [1]  (features, width)   of one camera, as the trunk gave them back
  /// out      [1]  (patches, numbers)  row-major, written in full
  /// [loop & active, rt]
  Status run(FeaturesView queries, PatchesView out) noexcept;

  /// Gives back what activate() took. [setup & active]
  void deactivate() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null while not active
};

}  // namespace cambium::heads
