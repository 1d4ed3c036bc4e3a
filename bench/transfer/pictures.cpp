#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bench/transfer/panels.hpp"
#include "bench/transfer/report.hpp"
#include "bench/transfer/summary.hpp"

namespace cambium::transfer {
namespace {

/// Where a cell lies: on which line, over which x. No name: on none.
struct Place {
  std::string line;
  double x = 0;
  std::string part = {};  ///< panel, if a task on a body has several
};

template <class Where>
std::string draw_cells(const std::vector<Row>& rows, Picture picture, const Where& where) {
  std::vector<std::string> titles;
  for (const Cell& cell : summarise(rows)) {
    const Place place = where(cell);
    if (place.line.empty()) continue;
    const std::string title = cell.key.task + " on " + cell.key.body;
    if (std::ranges::find(titles, title) == titles.end()) titles.push_back(title);
    auto panel = std::ranges::find_if(picture.panels, [&](const Panel& other) {
      return other.title == title && other.part == place.part;
    });
    if (panel == picture.panels.end())
      panel = picture.panels.insert(picture.panels.end(), {title, place.part, {}});
    auto line = std::ranges::find(panel->lines, place.line, &PanelLine::name);
    if (line == panel->lines.end())
      line = panel->lines.insert(panel->lines.end(), {place.line, {}});
    line->points.push_back({place.x, cell.mean, cell.spread});
    if (std::ranges::find(picture.names, place.line) == picture.names.end())
      picture.names.push_back(place.line);
  }
  if (picture.panels.empty()) return {};
  std::ranges::stable_sort(picture.panels, {}, [&](const Panel& panel) {
    return std::pair(std::ranges::find(titles, panel.title), panel.part);
  });
  for (Panel& panel : picture.panels)
    for (PanelLine& line : panel.lines) std::ranges::sort(line.points, {}, &PanelPoint::x);
  return draw(picture);
}

const Grown* grown_of(const Report& report, const Cell& cell) {
  const auto found = std::ranges::find_if(
      report.grown, [&](const Grown& grown) { return to_string(grown) == cell.key.variant; });
  return found == report.grown.end() ? nullptr : &*found;
}

}  // namespace

std::string draw_table(const Report& report, bool best) {
  Picture picture;
  picture.title = best ? "Success [%], each with the steps that it likes best"
                       : fmt::format("Success [%], all with {} steps", report.options.steps);
  picture.below = "demonstrations";
  picture.names = report.options.grounds;
  return draw_cells(best ? report.best : report.same, picture, [](const Cell& cell) {
    return Place{cell.key.mode, static_cast<double>(cell.key.demos)};
  });
}

std::string draw_bodies(const Report& report) {
  Picture picture;
  picture.title = "Success [%] of a graft over the bodies of its stock";
  picture.below = "bodies that the stock was pretrained on";
  const Options& options = report.options;
  return draw_cells(report.scaling, picture, [&](const Cell& cell) -> Place {
    const Grown* grown = grown_of(report, cell);
    if (!grown || grown->width != options.usual_width || grown->blocks != options.usual_blocks)
      return {};
    return {fmt::format("{} demonstrations", cell.key.demos), static_cast<double>(grown->bodies)};
  });
}

std::string draw_sizes(const Report& report) {
  Picture picture;
  picture.title =
      fmt::format("Success [%] of a graft on a stock of {} bodies", report.options.usual_bodies);
  picture.below = "width of the trunk";
  picture.columns = report.options.blocks.size();
  return draw_cells(report.scaling, picture, [&](const Cell& cell) -> Place {
    const Grown* grown = grown_of(report, cell);
    if (!grown || grown->bodies != report.options.usual_bodies) return {};
    return {fmt::format("{} demonstrations", cell.key.demos), static_cast<double>(grown->width),
            fmt::format("{} blocks", grown->blocks)};
  });
}

}  // namespace cambium::transfer
