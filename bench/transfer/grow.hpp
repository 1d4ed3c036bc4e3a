// bench/transfer/grow.hpp: stocks of random bodies, pretrained for the comparison of stocks.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/transfer/options.hpp"
#include "bench/transfer/report.hpp"

namespace cambium::transfer {

/// What a comparison of stocks asks for, in the order in which it is made: bodies, then trunk
/// sizes; none twice.
std::vector<Grown> stocks_of_scaling(const Options& options);

/// Pretrains a stock below `folder`, or finds it there: random bodies 0 to grown.bodies - 1, so
/// that a smaller stock's are among a larger one's; the same episodes in all, and the same samples
/// a step, whatever the number of bodies. An interrupted one is resumed by the next call. What is
/// returned is the stock's file; empty if it was stopped. [setup]
Result<std::filesystem::path> grow(const Grown& grown, const Options& options,
                                   const std::filesystem::path& folder,
                                   const std::function<bool()>& stopped,
                                   const std::function<void(const char* doing, double part)>& told);

/// The same without making it: empty if it is not there.
Result<std::filesystem::path> find_grown(const Grown& grown, const Options& options,
                                         const std::filesystem::path& folder);

}  // namespace cambium::transfer
