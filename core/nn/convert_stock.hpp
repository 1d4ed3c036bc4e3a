// core/nn/convert_stock.hpp: a stock written again with its large weights in another precision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "cambium/result.hpp"
#include "core/nn/precision.hpp"
#include "core/nn/safetensors.hpp"
#include "core/nn/stock.hpp"

namespace cambium::nn {

/// One side of a conversion.
struct ConvertedFile {
  std::string trunk_id;
  Precision precision = Precision::f32;
  std::uint64_t bytes = 0;
};

struct Conversion {
  ConvertedFile from, to;
  std::uint32_t tensors = 0;  ///< in `from`
  std::uint32_t changed = 0;  ///< of these, stored in another way now
  /// [1]  root of the mean square of what the changed weights lost, in parts of theirs
  double error = 0;
};

/// Writes `to` with the weights of products in `precision` and everything else as it is: BF16, or
/// I8 with one scale for each output row (the row's largest magnitude / 127), or all floating
/// tensors of the trunk in F32. Other stored weights are another trunk: its id changes unless
/// nothing does. `to` appears whole or not at all. Weights that are not finite, or not after
/// rounding, are refused. tell   see WriteProgress; may be empty. [setup]
Result<Conversion> convert_stock(const std::filesystem::path& from, const std::filesystem::path& to,
                                 Precision precision, const WriteProgress& tell);

}  // namespace cambium::nn
