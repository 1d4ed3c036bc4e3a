// bench/transfer/report.hpp: what was measured, as a table, as JSON and as pictures.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/transfer/options.hpp"
#include "bench/transfer/row.hpp"

namespace cambium::transfer {

/// A stock that was pretrained for the comparison of stocks.
struct Grown {
  std::uint32_t bodies = 0, width = 0, blocks = 0;
  /// A token and a head for each joint; false: a stem and a head for each body.
  bool joints = true;

  bool operator==(const Grown&) const = default;
};
/// "16 bodies, width 64, 4 blocks"
std::string to_string(const Grown& grown);

struct Report {
  Options options;
  std::string stock, trunk_id;  ///< file, and what identifies it
  std::vector<Row> same, best;  ///< the table; best: with the steps that each cell likes best
  std::vector<Row> ablation;    ///< variant: what was done, for people
  std::vector<Grown> grown;     ///< in the order of the plan
  std::vector<Row> scaling;     ///< variant: to_string(grown)
  bool whole = false;           ///< nothing of the plan is missing
};

/// For people: for each task and body, grounds against demonstrations.
std::string text_of(const Report& report);

/// rows[] {task, body, mode, variant, demos, seed, steps, best, success, val_loss, trained_params,
/// seconds, attempts, goals, time}, cells[] over seeds, scaling[] {pretrain_bodies, width, blocks,
/// demos, task, body, success_mean, success_std, …}, and what was asked for.
nlohmann::ordered_json json_of(const Report& report);

/// A picture as SVG; empty if there is nothing to draw.
std::string draw_table(const Report& report, bool best);
/// Success over the bodies of the stock; and over trunk sizes.
std::string draw_bodies(const Report& report);
std::string draw_sizes(const Report& report);

}  // namespace cambium::transfer
