#include "bench/transfer/panels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace cambium::transfer {
namespace {

constexpr double kWidth = 300, kHeight = 220;  // of a panel
constexpr double kLeft = 44, kRight = 14, kTop = 30, kBottom = 40;
constexpr double kTitle = 42;  // above the panels, to the middle of the legend's first line
constexpr double kEntry = 18;  // of the legend: height of a line, and space between two
constexpr double kLetter = 6;  // its width, rather more than less
constexpr const char* kColours[] = {"#2e8b57", "#2a78b8", "#8a56ac",
                                    "#b8860b", "#d1572c", "#444444"};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

struct Style {
  const char *colour, *dash;
};

/// Once the colours are used up they come again in dashed lines.
Style style_of(std::size_t place) {
  return {kColours[place % std::size(kColours)],
          place / std::size(kColours) % 2 == 0 ? "" : " stroke-dasharray=\"5 3\""};
}

/// Where values lie from left to right: each doubling as wide, 0 as if it were half the least.
struct LogAxis {
  double low = 1, high = 2, begin = 0, end = 1;

  LogAxis(const std::set<double>& values, double from, double to) : begin(from), end(to) {
    if (values.empty()) return;
    const auto positive = values.upper_bound(0);
    low = positive == values.end() ? 1 : *positive;
    high = std::max(*values.rbegin(), low);
    if (*values.begin() <= 0) low /= 2;
    if (high == low) {
      low /= 2;
      high *= 2;
    }
  }
  double operator()(double x) const {
    return begin + (end - begin) * std::log(std::max(x, low) / low) / std::log(high / low);
  }
};

std::string draw_panel(const Panel& panel, const Picture& picture, double left, double top) {
  std::set<double> values;
  for (const PanelLine& line : panel.lines)
    for (const PanelPoint& point : line.points) values.insert(point.x);
  const double right = left + kWidth - kRight, bottom = top + kHeight - kBottom;
  const LogAxis x(values, left + kLeft + 10, right - 10);
  const auto y = [&](double success) {
    return bottom - (bottom - top - kTop) * std::clamp(success, 0.0, 1.0);
  };
  std::string svg = fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"13\">{}</text>\n", left + kLeft, top + 18,
      escaped(panel.part.empty() ? panel.title : panel.title + ", " + panel.part));
  for (int percent = 0; percent <= 100; percent += 20)
    svg += fmt::format(
        "<path d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"#dddddd\"/><text x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>\n",
        left + kLeft, y(percent / 100.0), right, left + kLeft - 6, y(percent / 100.0) + 4, percent);
  for (const double value : values)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:g}</text>\n",
                       x(value), bottom + 16, value);
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                     (left + kLeft + right) / 2, bottom + 32, escaped(picture.below));
  for (const PanelLine& line : panel.lines) {
    const auto place = std::ranges::find(picture.names, line.name) - picture.names.begin();
    const Style style = style_of(static_cast<std::size_t>(place));
    // Lines stand a little beside one another, so that spreads do not hide each other.
    const double aside =
        2.5 * (static_cast<double>(place) - (static_cast<double>(picture.names.size()) - 1) / 2);
    std::string points, marks;
    for (const PanelPoint& point : line.points) {
      const double at = x(point.x) + aside;
      points += fmt::format("{:.1f},{:.1f} ", at, y(point.mean));
      marks += fmt::format(
          "<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" stroke=\"{3}\"/>"
          "<circle cx=\"{0:.1f}\" cy=\"{4:.1f}\" r=\"2.5\" fill=\"{3}\"/>\n",
          at, y(point.mean - point.spread), y(point.mean + point.spread), style.colour,
          y(point.mean));
    }
    svg += fmt::format(
               "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"{}/>\n",
               points, style.colour, style.dash) +
           marks;
  }
  return svg;
}

/// As many lines as its entries need. Returns where it ends.
double draw_legend(const std::vector<std::string>& names, double width, std::string& svg) {
  double x = kLeft, y = kTitle;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double end = x + 20 + kLetter * static_cast<double>(names[i].size());
    if (end > width && x > kLeft) {
      y += kEntry;
      x = kLeft;
    }
    const Style style = style_of(i);
    svg += fmt::format(
        "<path d=\"M{:.1f} {:.1f}h16\" stroke=\"{}\" stroke-width=\"2\"{}/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" fill=\"{}\">{}</text>\n",
        x, y, style.colour, style.dash, x + 20, y + 4, style.colour, escaped(names[i]));
    x += 20 + kLetter * static_cast<double>(names[i].size()) + kEntry;
  }
  return y + 14;
}

}  // namespace

std::string draw(const Picture& picture) {
  const std::size_t columns = std::max<std::size_t>(1, picture.columns);
  const std::size_t lines = (picture.panels.size() + columns - 1) / columns;
  const double width = kWidth * static_cast<double>(columns);
  std::string inside;
  const double head = draw_legend(picture.names, width, inside);
  for (std::size_t i = 0; i < picture.panels.size(); ++i)
    inside += draw_panel(picture.panels[i], picture, kWidth * static_cast<double>(i % columns),
                         head + kHeight * static_cast<double>(i / columns));
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      "<text x=\"{}\" y=\"22\" font-size=\"14\">{}</text>\n{}</svg>\n",
      width, head + kHeight * static_cast<double>(lines), kLeft, escaped(picture.title), inside);
}

}  // namespace cambium::transfer
