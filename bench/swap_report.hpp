// bench/swap_report.hpp: what `cambium bench swap` says, for programs and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/swap.hpp"

namespace cambium::bench {

nlohmann::json json_of(const SwapBenchReport& report);
/// A table with what was aimed at.
std::string text_of(const SwapBenchReport& report);

}  // namespace cambium::bench
