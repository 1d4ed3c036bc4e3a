// bench/chaos_report.hpp: what `cambium bench chaos` says, for programs and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/chaos.hpp"

namespace cambium::bench {

nlohmann::json json_of(const ChaosReport& report);
/// A table with what was aimed at.
std::string text_of(const ChaosReport& report);

}  // namespace cambium::bench
