#include "core/learn/plot.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace cambium::learn {
namespace {

constexpr double kWidth = 640, kHeight = 360, kLeft = 64, kRight = 16, kTop = 40, kBottom = 40;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

// 1, 2, 5, 10, … times a power of ten, between low and high.
std::vector<double> round_values(double low, double high) {
  std::vector<double> values;
  for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10)
    for (const double digit : {1.0, 2.0, 5.0})
      if (digit * power >= low && digit * power <= high) values.push_back(digit * power);
  return values;
}

}  // namespace

Result<void> write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::path temporary = file;
  temporary.replace_filename(fmt::format(".{}.{}.tmp", file.filename().string(), ::getpid()));
  std::error_code error;
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    out.close();
    if (out) std::filesystem::rename(temporary, file, error);
    if (out && !error) return {};
  }
  std::filesystem::remove(temporary, error);
  return Error{Code::failed, fmt::format("'{}': cannot write", file.string())};
}

std::string draw(const Plot& plot) {
  double low = 1e30;
  double high = 0;
  for (const Line& line : plot.lines)
    for (const auto& [x, y] : line.points) {
      if (!(y > 0)) continue;
      low = std::min(low, y);
      high = std::max(high, y);
    }
  if (high == 0) low = high = 1;
  low /= 1.2;
  high *= 1.2;
  const auto x_of = [&](double x) { return kLeft + (kWidth - kLeft - kRight) * x / plot.last_x; };
  const auto y_of = [&](double y) {
    return kTop + (kHeight - kTop - kBottom) * std::log(high / y) / std::log(high / low);
  };

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      "<text x=\"{}\" y=\"24\" font-size=\"14\">{}</text>\n",
      kWidth, kHeight, kLeft, escaped(plot.title));
  for (const double value : round_values(low, high))
    svg += fmt::format(
        "<path d=\"M{} {:.1f}H{}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{:g}</text>\n",
        kLeft, y_of(value), kWidth - kRight, kLeft - 6, y_of(value) + 4, value);
  for (const double x : plot.marks)
    svg += fmt::format("<path d=\"M{:.1f} {}V{}\" stroke=\"#bbbbbb\" stroke-dasharray=\"3 3\"/>\n",
                       x_of(x), kTop, kHeight - kBottom);
  for (const int i : {0, 1, 2, 3, 4})
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n",
                       x_of(plot.last_x * i / 4), kHeight - 18, plot.last_x * i / 4);
  if (!plot.below.empty())
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                       kLeft + (kWidth - kLeft - kRight) / 2, kHeight - 4, escaped(plot.below));
  int place = 0;
  for (const Line& line : plot.lines) {
    ++place;
    std::string points;
    for (const auto& [x, y] : line.points)
      if (y > 0) points += fmt::format("{:.1f},{:.1f} ", x_of(x), y_of(y));
    if (points.empty()) continue;
    svg += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{}\">{}</text>\n",
        points, line.colour, kWidth - kRight - 4, kTop + 16 * place, line.colour,
        escaped(line.name));
  }
  return svg + "</svg>\n";
}

}  // namespace cambium::learn
