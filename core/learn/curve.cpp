#include "core/learn/curve.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace cambium::learn {
namespace {

constexpr double kWidth = 640, kHeight = 360, kLeft = 64, kRight = 16, kTop = 40, kBottom = 40;
constexpr const char kTraining[] = "#2a78b8", kValidation[] = "#d1572c";

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

std::string draw_curve(const std::string& title, std::span<const LossPoint> curve) {
  double low = 1e30;
  double high = 0;
  double last_step = 1;
  for (const LossPoint& point : curve) {
    for (const double loss : {point.training, point.validation}) {
      if (!(loss > 0)) continue;
      low = std::min(low, loss);
      high = std::max(high, loss);
    }
    last_step = std::max(last_step, static_cast<double>(point.step));
  }
  if (high == 0) low = high = 1;
  low /= 1.2;
  high *= 1.2;
  const auto x_of = [&](double step) {
    return kLeft + (kWidth - kLeft - kRight) * step / last_step;
  };
  const auto y_of = [&](double loss) {
    return kTop + (kHeight - kTop - kBottom) * std::log(high / loss) / std::log(high / low);
  };

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      "<text x=\"{}\" y=\"24\" font-size=\"14\">{}</text>\n",
      kWidth, kHeight, kLeft, escaped(title));
  for (const double value : round_values(low, high))
    svg += fmt::format(
        "<path d=\"M{} {:.1f}H{}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{:g}</text>\n",
        kLeft, y_of(value), kWidth - kRight, kLeft - 6, y_of(value) + 4, value);
  for (const int i : {0, 1, 2, 3, 4})
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.0f}</text>\n",
                       x_of(last_step * i / 4), kHeight - 18, last_step * i / 4);
  const auto line = [&](double LossPoint::*loss, const char* colour, const char* name, int place) {
    std::string points;
    for (const LossPoint& point : curve)
      if (point.*loss > 0)
        points += fmt::format("{:.1f},{:.1f} ", x_of(point.step), y_of(point.*loss));
    if (points.empty()) return;
    svg += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n"
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{}\">{}</text>\n",
        points, colour, kWidth - kRight - 4, kTop + 16 * place, colour, name);
  };
  line(&LossPoint::training, kTraining, "training", 1);
  line(&LossPoint::validation, kValidation, "held-out episodes", 2);
  return svg + "</svg>\n";
}

Result<void> write_curve(const std::filesystem::path& stem, const std::string& title,
                         std::span<const LossPoint> curve) {
  auto points = nlohmann::ordered_json::array();
  for (const LossPoint& point : curve) {
    nlohmann::ordered_json entry = {{"step", point.step}, {"training", point.training}};
    if (std::isfinite(point.validation)) entry["validation"] = point.validation;
    points.push_back(std::move(entry));
  }
  const nlohmann::ordered_json json = {{"title", title}, {"curve", points}};
  if (auto done = write_text(stem.string() + ".json", json.dump(1) + "\n"); !done) return done;
  return write_text(stem.string() + ".svg", draw_curve(title, curve));
}

}  // namespace cambium::learn
