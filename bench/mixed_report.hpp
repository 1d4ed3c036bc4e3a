// bench/mixed_report.hpp: what `cambium bench mixed` says, for programs and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/mixed.hpp"

namespace cambium::bench {

nlohmann::json json_of(const MixedReport& report);
/// A table with what was aimed at.
std::string text_of(const MixedReport& report);

}  // namespace cambium::bench
