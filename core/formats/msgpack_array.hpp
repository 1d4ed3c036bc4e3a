// core/formats/msgpack_array.hpp: the maps that stand for numpy's arrays and scalars in msgpack.
#pragma once

#include "cambium/result.hpp"
#include "core/formats/msgpack.hpp"

namespace cambium::formats {

/// What a finished map stands for: an ArrayView, a number, or itself if it is none of the dialects;
/// `dialect` says which. bad_data for a forged one, and for one that only looks like an array: it
/// would else be a map of strange keys. [any]
Result<Value> resolve_map(Map&& map, ArrayDialect& dialect);

}  // namespace cambium::formats
