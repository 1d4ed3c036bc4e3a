#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/memory_report.hpp"

namespace cambium::bench {
namespace {

constexpr double kWidth = 640, kHeight = 400, kLeft = 64, kRight = 100, kTop = 40, kBottom = 44;
constexpr const char* kColours[] = {"#444444", "#2a78b8", "#d1572c",
                                    "#2e8b57", "#8a56ac", "#b8860b"};

/// A logarithmic axis: from `low` to `high`, which lie at `begin` and `end` of the picture.
struct Axis {
  double low, high, begin, end;
  double operator()(double value) const {
    return begin + (end - begin) * std::log(value / low) / std::log(high / low);
  }
};

/// The same in whole powers of `base`, one at least.
Axis whole_powers(double least, double most, double base, double begin, double end) {
  const double low = std::floor(std::log(least) / std::log(base)),
               high = std::ceil(std::log(most) / std::log(base));
  return {std::pow(base, low), std::pow(base, std::max(high, low + 1)), begin, end};
}

}  // namespace

std::string draw_growth(const MemoryReport& report) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      "<text x=\"{}\" y=\"24\" font-size=\"14\">Time of a token [us] over the tokens before it: "
      "width {}, {} blocks, {}</text>\n",
      kWidth, kHeight, kLeft, report.width, report.blocks, report.precision);
  const auto& rows = report.growth;
  if (rows.empty()) return svg + "</svg>\n";
  const auto [least, most] = std::minmax_element(
      rows.begin(), rows.end(),
      [](const auto& a, const auto& b) { return a.ns_per_token < b.ns_per_token; });
  const Axis x = whole_powers(rows.front().context, rows.back().context, 2, kLeft, kWidth - kRight);
  const Axis y =
      whole_powers(std::max(1e-3, least->ns_per_token * 1e-3),
                   std::max(1e-2, most->ns_per_token * 1e-3), 10, kHeight - kBottom, kTop);
  for (double tick = y.low; tick <= y.high * 1.001; tick *= 10)
    svg += fmt::format(
        "<path d=\"M{} {:.1f}H{}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{:g}</text>\n",
        kLeft, y(tick), kWidth - kRight, kLeft - 6, y(tick) + 4, tick);
  for (double tick = x.low; tick <= x.high * 1.001; tick *= 2)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n", x(tick),
                       kHeight - kBottom + 20, tick);
  std::vector<std::string> names;
  for (const auto& row : rows)
    if (std::find(names.begin(), names.end(), row.arch) == names.end()) names.push_back(row.arch);
  // Names stand at the ends of their lines, from the highest down, and never on one another.
  std::vector<std::pair<double, std::string>> labels;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const char* colour = kColours[i % std::size(kColours)];
    std::string points;
    double last = 0;
    for (const auto& row : rows)
      if (row.arch == names[i])
        points += fmt::format("{:.1f},{:.1f} ", x(row.context),
                              last = y(std::max(1e-3, row.ns_per_token * 1e-3)));
    svg +=
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n",
                    points, colour);
    labels.emplace_back(last + 4, fmt::format("fill=\"{}\">{}", colour, names[i]));
  }
  std::sort(labels.begin(), labels.end());
  double free = kTop;
  for (const auto& [height, label] : labels) {
    const double at = std::max(height, free);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}</text>\n", x(rows.back().context) + 6,
                       at, label);
    free = at + 13;
  }
  return svg + "</svg>\n";
}

}  // namespace cambium::bench
