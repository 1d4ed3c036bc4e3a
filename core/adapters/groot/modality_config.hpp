// core/adapters/groot/modality_config.hpp: what this listener expects and answers, in the words of
// GR00T's get_modality_config.
#pragma once

#include <cstdint>
#include <span>

#include "core/formats/msgpack.hpp"
#include "core/gateway/mapping.hpp"

namespace cambium::groot {

/// One reply for N1.6, N1.7 and DROID: each finds its own marker and its own field among those of
/// the others. `as_text`: as N1.5 reads it, which cannot read the other. `rows` of a chunk. [any]
void write_modality_config(formats::MsgpackWriter& to,
                           std::span<const gateway::ExpectedReading> readings,
                           std::span<const gateway::ActionPart> actions, std::uint32_t rows,
                           bool as_text);

}  // namespace cambium::groot
