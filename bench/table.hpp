// bench/table.hpp: one line of a report: what, how much, what was aimed at.
#pragma once

#include <fmt/format.h>

#include <string>

namespace cambium::bench {

inline std::string row(const std::string& what, const std::string& value,
                       const std::string& aim = "", bool met = true) {
  const char* verdict = met ? "met" : "not met";
  return aim.empty() ? fmt::format("{:<34} {:>12}\n", what, value)
                     : fmt::format("{:<34} {:>12}   {:<10} {}\n", what, value, aim, verdict);
}

}  // namespace cambium::bench
