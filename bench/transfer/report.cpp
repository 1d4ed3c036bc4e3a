#include "bench/transfer/report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/transfer/summary.hpp"

namespace cambium::transfer {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

/// What rows and cells have in common.
Json to_json(const RowKey& key, bool best) {
  return {{"task", key.task},   {"body", key.body},   {"mode", key.mode}, {"variant", key.variant},
          {"demos", key.demos}, {"steps", key.steps}, {"best", best}};
}

Json to_json(const Row& row, bool best) {
  Json json = to_json(row.key, best);
  json.update({{"seed", row.key.seed},
               {"success", row.success()},
               {"val_loss", number_or_null(row.val_loss)},
               {"trained_params", row.trained_params},
               {"seconds", row.seconds},
               {"attempts", row.key.attempts},
               {"time", row.time}});
  return json;
}

Json to_json(const Cell& cell, bool best) {
  Json json = to_json(cell.key, best);
  json.update({{"seeds", cell.seeds},
               {"success_mean", cell.mean},
               {"success_std", cell.spread},
               {"low", cell.interval.first},
               {"high", cell.interval.second},
               {"attempts", cell.attempts},
               {"val_loss", number_or_null(cell.val_loss)},
               {"trained_params", cell.trained_params},
               {"seconds", cell.seconds}});
  return json;
}

const Grown* find(const std::vector<Grown>& all, const std::string& variant) {
  for (const Grown& grown : all)
    if (to_string(grown) == variant) return &grown;
  return nullptr;
}

}  // namespace

std::string to_string(const Grown& grown) {
  return fmt::format("{} {}, width {}, {} blocks{}", grown.bodies,
                     grown.bodies == 1 ? "body" : "bodies", grown.width, grown.blocks,
                     grown.joints ? "" : ", private joint stems");
}

Json json_of(const Report& report) {
  Json json = {{"stock", report.stock},           {"trunk_id", report.trunk_id},
               {"steps", report.options.steps},   {"candidates", report.options.candidates},
               {"replan", report.options.replan}, {"whole", report.whole}};
  auto& rows = json["rows"] = Json::array();
  auto& cells = json["cells"] = Json::array();
  const auto add = [&](const std::vector<Row>& of, bool best) {
    for (const Row& row : of) rows.push_back(to_json(row, best));
    for (const Cell& cell : summarise(of)) cells.push_back(to_json(cell, best));
  };
  add(report.same, false);
  add(report.best, true);
  add(report.ablation, false);
  auto& scaling = json["scaling"] = Json::array();
  for (const Cell& cell : summarise(report.scaling)) {
    const Grown* grown = find(report.grown, cell.key.variant);
    if (!grown) continue;
    Json entry = {
        {"pretrain_bodies", grown->bodies}, {"width", grown->width}, {"blocks", grown->blocks}};
    entry.update(to_json(cell, false));
    scaling.push_back(std::move(entry));
  }
  return json;
}

}  // namespace cambium::transfer
