#include "core/learn/curve.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/learn/plot.hpp"

namespace cambium::learn {

std::string draw_curve(const std::string& title, std::span<const LossPoint> curve) {
  Plot plot = {title, {{"training", "#2a78b8", {}}, {"held-out episodes", "#d1572c", {}}}};
  for (const LossPoint& point : curve) {
    plot.lines[0].points.emplace_back(point.step, point.training);
    plot.lines[1].points.emplace_back(point.step, point.validation);
    plot.last_x = std::max(plot.last_x, static_cast<double>(point.step));
  }
  return draw(plot);
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
