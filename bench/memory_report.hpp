// bench/memory_report.hpp: what `cambium bench memory` says.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/memory.hpp"

namespace cambium::bench {

/// Keys as docs/performance.md defines them.
nlohmann::json json_of(const MemoryReport& report);
/// Tables for people, with the aims and whether they are met.
std::string text_of(const MemoryReport& report);
/// SVG text: time per token over the context, both logarithmic, a line for each architecture.
std::string draw_growth(const MemoryReport& report);

}  // namespace cambium::bench
