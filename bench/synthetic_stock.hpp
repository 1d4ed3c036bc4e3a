// bench/synthetic_stock.hpp: a stock of any size from a seed: what it costs does not depend on what
// was learned.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/nn/stock.hpp"

namespace cambium::bench {

/// Products +- 1 / sqrt(in), norms that change nothing, no shared stems: numbers stay finite
/// through any number of blocks. [setup]
Result<nn::Stock> write_synthetic_stock(const std::filesystem::path& file,
                                        const nn::TrunkShape& shape, std::uint64_t seed = 1);

}  // namespace cambium::bench
