#include "core/runtime/admin_json.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/runtime/policy_report.hpp"

namespace cambium::runtime {
namespace {

using nlohmann::json;

std::string sentence_of(const SwapReport& report) {
  switch (report.end) {
    case SwapStage::refused:
      return fmt::format("{}; generation {} goes on", report.reason, report.generation);
    case SwapStage::rolled_back:
      return fmt::format("{}; generation {} is the old one again{}", report.reason,
                         report.generation, sentence_of_memory(report));
    case SwapStage::rehearsed:
      return fmt::format("robot '{}': rehearsed, {} would be swapped; nothing has moved{}",
                         report.robot, report.kind, sentence_of_memory(report));
    default:
      break;
  }
  const std::string what = report.kind == "reload"     ? "read again, nothing has changed"
                           : report.kind == "rollback" ? "went back"
                                                       : report.kind + " swapped";
  const auto id = [](const std::string& trunk) { return trunk.substr(0, 16); };
  const std::string trunk =
      report.trunk_id_before.empty() ? "the trunk is not there"
      : report.trunk_id_before == report.trunk_id_after
          ? "trunk " + id(report.trunk_id_before) + " before and after"
          : fmt::format("trunk {} before, {} after", id(report.trunk_id_before),
                        id(report.trunk_id_after));
  std::string text = fmt::format("robot '{}': {}, generation {}; {}", report.robot, what,
                                 report.generation, trunk);
  if (report.probation != 0)
    text += fmt::format("; stood {} of {} ticks on probation{}", report.proved, report.probation,
                        report.proved == report.probation ? "" : ", its policy drove in no more");
  if (!report.state.empty()) text += "; state: " + report.state;
  text += sentence_of_memory(report);
  return text;
}

}  // namespace

json json_of(const RobotStatus& robot) {
  return {{"name", robot.name},
          {"embodiment", robot.embodiment},
          {"dof", robot.dof},
          {"generation", robot.generation},
          {"drive", robot.drive},
          {"reason", robot.reason},
          {"controller", robot.controller},
          {"isolated", robot.isolated},
          {"swapping", robot.swapping},
          {"ticks", robot.ticks},
          {"policy_ticks", robot.policy_ticks},
          {"shown_ticks", robot.shown_ticks},
          {"recording", robot.recording},
          {"missed", robot.missed},
          {"limited", robot.limited},
          {"refused", robot.refused},
          {"overwritten", robot.overwritten},
          {"shared_kb", robot.shared_kb},
          {"requests", robot.requests},
          {"chunks", robot.chunks},
          {"late_chunks", robot.late_chunks},
          {"session", robot.session},
          {"memory", robot.memory},
          {"memory_steps", robot.memory_steps},
          {"memory_lost", robot.memory_lost},
          {"memory_restored", robot.memory_restored},
          {"trunk_said", robot.trunk_said},
          {"tick_us_p50", robot.tick_us_p50},
          {"tick_us_p99", robot.tick_us_p99},
          {"plugin", robot.plugin},
          {"plugin_version", robot.plugin_version},
          {"head", robot.head},
          {"head_version", robot.head_version},
          {"bundle", robot.bundle}};
}

json json_of(const RecordingInfo& recording) {
  return {{"ok", true},
          {"ticket", recording.ticket},
          {"row_size", recording.shape.row_size()},
          {"sensors", recording.shape.sensors},
          {"left_out", recording.left_out},
          {"body", json_of_body(recording.body)}};
}

json json_of(const SwapReport& report) {
  json object{{"robot", report.robot},
              {"kind", report.kind},
              {"ok", report.code == Code::ok},
              {"end", to_string(report.end)},
              {"code", to_string(report.code)},
              {"reason", report.reason},
              {"from", report.from},
              {"generation", report.generation},
              {"commit_us", report.commit_us},
              {"prepare_ms", report.prepare_ms},
              {"total_ms", report.total_ms},
              {"time_s", report.time_s},
              {"warm_up", report.warm_up},
              {"state", report.state},
              {"memory", report.memory},
              {"memory_reason", report.memory_reason},
              {"probation", report.probation},
              {"proved", report.proved},
              {"trunk_id_before", report.trunk_id_before},
              {"trunk_id_after", report.trunk_id_after},
              {"shadow", {{"rows", report.shadow_rows}, {"joints", json::array()}}}};
  if (report.code != Code::ok) object["error"] = report.reason;
  for (const auto& joint : report.differences) {
    object["shadow"]["joints"].push_back({{"joint", joint.joint},
                                          {"unit", joint.unit},
                                          {"mean", joint.mean},
                                          {"max", joint.largest},
                                          {"bound", joint.bound}});
  }
  return object;
}

json json_of(const TrunkSwapReport& report) {
  json object{{"ok", report.ok()},
              {"code", to_string(report.code)},
              {"reason", report.reason},
              {"dry_run", report.rehearsed},
              {"taken_back", report.taken_back},
              {"trunk_id_before", report.from},
              {"trunk_id_after", report.trunk},
              {"wanted", report.wanted},
              {"chosen", report.chosen},
              {"load_ms", report.load_ms},
              {"total_ms", report.total_ms},
              {"robots", json::array()}};
  if (!report.ok()) object["error"] = report.reason;
  for (const auto& robot : report.robots) object["robots"].push_back(json_of(robot));
  return object;
}

std::string line_of(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const TrunkSwapReport& report) {
  const auto id = [](const std::string& trunk) {
    return trunk.empty() ? std::string("none") : trunk.substr(0, 16);
  };
  const auto robots =
      fmt::format("{} robot{}", report.robots.size(), report.robots.size() == 1 ? "" : "s");
  if (report.taken_back)
    return fmt::format("{}; all robots are back on trunk {}", report.reason, id(report.trunk));
  if (!report.ok())
    return fmt::format("{}; nothing has moved, trunk {} goes on", report.reason, id(report.trunk));
  if (report.rehearsed)
    return fmt::format("rehearsed: {} would go from trunk {} to {}; nothing has moved", robots,
                       id(report.from), id(report.wanted));
  std::string text = fmt::format("trunk {} before, {} after; {} swapped together", id(report.from),
                                 id(report.trunk), robots);
  for (const auto& robot : report.robots) text += "\n" + text_of(robot);
  return text;
}

std::string text_of(const SwapReport& report) {
  std::string text;
  if (!report.differences.empty()) {
    text = fmt::format("{:<16} {:>10} {:>10} {:>10}  old against new, {} actions\n", "joint",
                       "mean", "max", "allowed", report.shadow_rows);
    for (const auto& joint : report.differences)
      text += fmt::format("{:<16} {:>10.4g} {:>10.4g} {:>10.4g}  {}\n", joint.joint, joint.mean,
                          joint.largest, joint.bound, joint.unit);
  }
  return text + sentence_of(report);
}

}  // namespace cambium::runtime
