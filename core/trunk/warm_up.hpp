// core/trunk/warm_up.hpp: the first pass of a model, which no robot waits for.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cambium/result.hpp"
#include "core/base/reserved_memory.hpp"
#include "core/trunk/model.hpp"

namespace cambium::trunk {

/// One pass over `rows` rows of zeros, so that no robot pays for pages and buffers that a model
/// touches first. It touches every weight, so one that is no number shows: it makes NaN of the
/// zeros that it is multiplied with. [setup]
inline Result<void> warm_up(TrunkModel& model, std::uint32_t rows) {
  std::vector<float> zeros(std::size_t{rows} * model.info().width);
  const auto memory = base::ReservedMemory::reserve(model.info().session_bytes);
  if (!memory) return memory.error();
  if (memory->data() != nullptr) model.begin(memory->data());
  const Segment segment{0, rows, memory->data()};
  if (const Status done = model.forward({&segment, 1}, zeros.data()); !done.ok())
    return Error{done.code(), std::string("a first pass says '") + to_string(done.code()) + "'"};
  if (!std::ranges::all_of(zeros, [](float x) { return std::isfinite(x); }))
    return Error{Code::bad_data,
                 "a first pass gives numbers that are not finite: a weight is NaN, infinite or far "
                 "too large; cambium check names it"};
  return {};
}

}  // namespace cambium::trunk
