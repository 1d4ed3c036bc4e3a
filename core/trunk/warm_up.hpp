// core/trunk/warm_up.hpp: the first pass of a model, which no robot waits for.
#pragma once

#include <cstdint>
#include <vector>

#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// One pass over `rows` rows of zeros, so that no robot pays for pages and buffers that a model
/// touches first. What is wrong with the model is told to the first request. [setup]
inline void warm_up(TrunkModel& model, std::uint32_t rows) {
  std::vector<float> zeros(std::size_t{rows} * model.info().width);
  const Segment segment{0, rows};
  (void)model.forward({&segment, 1}, zeros.data());
}

}  // namespace cambium::trunk
