#include "bench/mixed_report.hpp"

#include <fmt/format.h>

#include "bench/table.hpp"

namespace cambium::bench {
namespace {

// Issue and docs/performance.md.
constexpr double kSpeedup = 1.5;

nlohmann::json json_of(const FleetReport& fleet) {
  auto robots = nlohmann::json::array();
  for (const auto& one : fleet.robots) {
    const double deadline_ms = static_cast<double>(one.robot.deadline) * 1e-6;
    robots.push_back({{"tokens", one.robot.tokens},
                      {"deadline_ms", deadline_ms},
                      {"p50_ms", one.p50_ms},
                      {"p99_ms", one.p99_ms},
                      {"p99_of_deadline", one.p99_ms / deadline_ms},
                      {"asked", one.asked},
                      {"in_time", one.in_time},
                      {"late", one.late},
                      {"busy", one.busy},
                      {"expired", one.expired},
                      {"lost", one.lost}});
  }
  return {{"asked", fleet.sum(&RobotLoad::asked)},
          {"in_time", fleet.sum(&RobotLoad::in_time)},
          {"late", fleet.sum(&RobotLoad::late)},
          {"busy", fleet.sum(&RobotLoad::busy)},
          {"expired", fleet.sum(&RobotLoad::expired)},
          {"lost", fleet.sum(&RobotLoad::lost)},
          {"p99_of_deadline_max", fleet.worst_p99_of_deadline()},
          {"per_robot", robots}};
}

std::string text_of(const FleetReport& fleet, const char* name) {
  return fmt::format(
      "  {:<12} {} asked: {} in time, {} late, {} told busy, {} told too late, {} lost; p99 at "
      "most "
      "{:.2f} of the deadline\n",
      name, fleet.sum(&RobotLoad::asked), fleet.sum(&RobotLoad::in_time),
      fleet.sum(&RobotLoad::late), fleet.sum(&RobotLoad::busy), fleet.sum(&RobotLoad::expired),
      fleet.sum(&RobotLoad::lost), fleet.worst_p99_of_deadline());
}

}  // namespace

nlohmann::json json_of(const MixedReport& report) {
  auto rows = nlohmann::json::array();
  for (const auto& row : report.rows)
    rows.push_back({{"robots", row.robots},
                    {"precision", report.precision},
                    {"threads", report.threads},
                    {"speedup", row.speedup},
                    {"late", row.overload.sum(&RobotLoad::late)},
                    {"lost", row.overload.sum(&RobotLoad::lost) + row.usual.sum(&RobotLoad::lost)},
                    {"busy", row.overload.sum(&RobotLoad::busy)},
                    {"expired", row.overload.sum(&RobotLoad::expired)},
                    {"kept", row.kept},
                    {"queue_high", row.queue_high},
                    {"queue_bound", row.queue_bound},
                    {"requests_per_s", row.per_s},
                    {"one_at_a_time_per_s", row.one_at_a_time_per_s},
                    {"usual", json_of(row.usual)},
                    {"overload", json_of(row.overload)}});
  return {{"mixed", rows}};
}

std::string text_of(const MixedReport& report) {
  std::string text;
  for (const auto& one : report.rows) {
    text += fmt::format("{} robots of 4 kinds, Base {}, {} thread{}\n", one.robots,
                        report.precision, report.threads, report.threads == 1 ? "" : "s");
    text += row("  requests a second", fmt::format("{:.1f}", one.per_s));
    text += row("  against one at a time", fmt::format("{:.2f}", one.speedup), "1.50",
                one.speedup >= kSpeedup);
    text += text_of(one.usual, "half of it");
    text += text_of(one.overload, "twice of it");
    text += row("  rows in time under overload", fmt::format("{:.0f} %", 100 * one.kept));
    text += row("  most that waited", fmt::format("{}", one.queue_high),
                fmt::format("{}", one.queue_bound), one.queue_high <= one.queue_bound);
  }
  return text;
}

}  // namespace cambium::bench
