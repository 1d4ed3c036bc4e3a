// bench/trunk_report.hpp: what `cambium bench trunk` says, for programs and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/trunk.hpp"

namespace cambium::bench {

nlohmann::json json_of(const TrunkBenchReport& report);
/// A table with what was aimed at.
std::string text_of(const TrunkBenchReport& report);

}  // namespace cambium::bench
