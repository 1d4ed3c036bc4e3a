#include "examples/context/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/learn/plot.hpp"

namespace cambium::context {
namespace {

using nlohmann::ordered_json;

std::vector<double> rounded(const std::vector<double>& values) {
  std::vector<double> out;
  for (const double value : values) out.push_back(std::round(value * 1e5) / 1e5);
  return out;
}

ordered_json json_of(const Course& course) {
  std::vector<double> of_goal;
  for (std::size_t goal = 0; goal < course.reached.size(); ++goal)
    of_goal.push_back(course.action_error_of(goal));
  return {{"reached_by_goal", rounded(course.reached)},
          {"median_distance_m_by_goal", rounded(course.goal_error)},
          {"action_error_by_goal", rounded(of_goal)},
          {"action_error", rounded(course.action_error)},
          {"action_error_rad_s", rounded(course.action_error_rad_s)},
          {"distance_m", rounded(course.distance)}};
}

std::string picture(const std::vector<Judged>& all, const EvaluateOptions& options,
                    const std::string& title, std::vector<double> Course::*curve) {
  learn::Plot plot = {title, {}, static_cast<double>(options.ticks), {}, "ticks into the episode"};
  for (std::uint32_t tick = kGoalTicks; tick < options.ticks; tick += kGoalTicks)
    plot.marks.push_back(tick);
  const auto add = [&](const std::string& name, const std::string& colour, const Course& course) {
    learn::Line line = {name, colour, {}};
    for (std::size_t tick = 0; tick < (course.*curve).size(); ++tick)
      line.points.emplace_back(static_cast<double>(tick), (course.*curve)[tick]);
    plot.lines.push_back(std::move(line));
  };
  for (const Judged& one : all) {
    add(one.name, one.colour, one.fresh);
    // The others are no better there.
    if (one.name == "memory") add("memory, signs never trained", "#84b9e0", one.held_out);
  }
  return learn::draw(plot);
}

void print_rows(const Judged& one, const char* bodies, const Course& course) {
  std::printf("%-12s %-9s", one.name.c_str(), bodies);
  for (std::size_t goal = 0; goal < course.reached.size(); ++goal)
    std::printf("  %5.2f %5.0f %4.0f%%", course.action_error_of(goal),
                1e3 * course.goal_error[goal], 100 * course.reached[goal]);
  std::printf("\n");
}

}  // namespace

void print(const std::vector<Judged>& all, const EvaluateOptions& options) {
  std::printf(
      "%u bodies each; by goal, %u ticks each: action error in its first %u ticks (1: as if\n"
      "standing still), median distance [mm] when it ends, reached (%.0f mm)\n%-12s %-9s",
      options.bodies, kGoalTicks, kFresh, 1e3 * kTolerance, "", "bodies");
  for (std::uint32_t goal = 0; goal < options.ticks / kGoalTicks; ++goal)
    std::printf("  %12s %u    ", "goal", goal + 1);
  std::printf("\n");
  for (const Judged& one : all) {
    print_rows(one, "fresh", one.fresh);
    print_rows(one, "held out", one.held_out);
  }
}

Result<void> write(const std::filesystem::path& stem, const std::vector<Judged>& all,
                   const EvaluateOptions& options) {
  ordered_json json = {
      {"bodies", options.bodies}, {"ticks", options.ticks},         {"seed", options.seed},
      {"goal_ticks", kGoalTicks}, {"wiggle_ticks", options.wiggle}, {"tolerance_m", kTolerance},
      {"period_s", kPeriod}};
  for (const Judged& one : all)
    json["judged"].push_back({{"name", one.name},
                              {"trunk_id", one.trunk},
                              {"trained", one.trained},
                              {"session_bytes", one.session_bytes},
                              {"fresh", json_of(one.fresh)},
                              {"held_out", json_of(one.held_out)}});
  const std::pair<const char*, std::string> files[] = {
      {".json", json.dump(1) + "\n"},
      {".action.svg", picture(all, options, "Action error, in parts of the expert's action",
                              &Course::action_error)},
      {".distance.svg", picture(all, options, "Tool to goal [m]", &Course::distance)}};
  for (const auto& [ending, text] : files)
    if (auto done = learn::write_text(stem.string() + ending, text); !done) return done;
  return {};
}

}  // namespace cambium::context
