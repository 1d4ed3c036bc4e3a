// core/learn/plot.hpp: lines over something that counts up, as a picture for people.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cambium/result.hpp"

namespace cambium::learn {

struct Line {
  std::string name, colour;                       ///< "#2a78b8"
  std::vector<std::pair<double, double>> points;  ///< y is drawn where it is above 0
};

/// y is logarithmic, x begins at 0.
struct Plot {
  std::string title;
  std::vector<Line> lines;
  double last_x = 1;
  std::vector<double> marks = {};  ///< x of upright lines: where something happens
  std::string below = {};          ///< what x is
};

/// SVG text.
std::string draw(const Plot& plot);

/// Whole or not at all. [setup]
Result<void> write_text(const std::filesystem::path& file, const std::string& text);

}  // namespace cambium::learn
