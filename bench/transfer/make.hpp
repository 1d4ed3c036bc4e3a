// bench/transfer/make.hpp: a row from nothing: demonstrations, a body trained on its ground, and
// attempts in closed loop.
#pragma once

#include <functional>

#include "bench/transfer/recordings.hpp"
#include "bench/transfer/schedule.hpp"
#include "bench/transfer/stocks.hpp"

namespace cambium::transfer {

/// Variants of `stock`: how the body's head begins, if not as the stock's.
inline constexpr const char kMlpHead[] = "mlp head", kNewHead[] = "new head";

/// The recipe of all rows but for steps and seed, which are the row's.
learn::Recipe recipe_of_rows();

/// Each work on the calling thread alone. Borrows both; interrupted as soon as stopped(). [setup]
Make make_rows(const Stocks& stocks, Recordings& recordings, std::function<bool()> stopped);

}  // namespace cambium::transfer
