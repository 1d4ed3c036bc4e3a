#include "bench/trunk_report.hpp"

#include <fmt/format.h>

#include <optional>

#include "bench/machine.hpp"

namespace cambium::bench {
namespace {

// Issue and docs/performance.md.
constexpr double kLimitBase = 1.3, kLimitXLarge = 1.15, kInt8OverBf16 = 1.5, kFourOverOne = 2.5;
// Above this load average somebody else is at work.
constexpr double kBusy = 0.7;

/// No limit: 0.
double limit_of(const std::string& size) {
  return size == "Base" ? kLimitBase : size == "XLarge" ? kLimitXLarge : 0;
}

nlohmann::json json_of(const TrunkBenchRow& r) {
  nlohmann::json row = {{"size", r.size},
                        {"precision", nn::to_string(r.precision)},
                        {"robots", r.robots},
                        {"threads", r.threads},
                        {"ms_p50", r.ms_p50},
                        {"ms_p99", r.ms_p99},
                        {"tokens_per_s", r.tokens_per_s},
                        {"limit_ratio", nullptr},
                        {"roof_ratio", r.roof_ratio},
                        {"read_gb_s", r.read_gb_s},
                        {"weight_bytes", r.weight_bytes},
                        {"rounds", r.rounds},
                        {"forwards", r.forwards},
                        {"engine", r.engine}};
  if (r.limit) {
    row.update({{"limit_ratio", r.limit->median},
                {"limit_ratio_min", r.limit->min},
                {"limit_ratio_max", r.limit->max},
                {"limit_ratio_of_fastest", r.limit_of_fastest},
                {"bare_ms_p50", r.bare_ms_p50},
                {"bare_form", r.bare_form}});
  }
  return row;
}

/// What the bare products of a batch take over those of one robot: what a batch can gain here.
std::optional<double> bare_over_one(const TrunkBenchReport& report, const TrunkBenchRow& batch) {
  for (const auto& one : report.rows) {
    if (one.robots == 1 && one.size == batch.size && one.precision == batch.precision &&
        one.threads == batch.threads && one.limit && batch.limit) {
      return batch.bare_ms_p50 / one.bare_ms_p50;
    }
  }
  return std::nullopt;
}

/// How many of the rows that have one meet an aim, and the worst of them.
class Aim {
 public:
  Aim(std::string what, double bound, bool at_most)
      : what_(std::move(what)), bound_(bound), at_most_(at_most) {}

  void take(double value, const std::string& row) {
    ++rows_;
    if (met(value)) ++met_;
    if (worst_.empty() || (at_most_ ? value > value_ : value < value_)) {
      value_ = value;
      worst_ = row;
    }
  }
  std::string text() const {
    if (rows_ == 0) return "";
    return fmt::format("{:<34} {} {:g}: {} ({} of {}; worst {:.2f}, {})\n", what_,
                       at_most_ ? "at most" : "at least", bound_, met_ == rows_ ? "met" : "not met",
                       met_, rows_, value_, worst_);
  }

 private:
  bool met(double value) const { return at_most_ ? value <= bound_ : value >= bound_; }

  std::string what_;
  double bound_;
  bool at_most_;
  int rows_ = 0, met_ = 0;
  double value_ = 0;
  std::string worst_;
};

std::string aims_of(const TrunkBenchReport& report) {
  Aim base("Base over its bare products", kLimitBase, true);
  Aim xlarge("XLarge over its bare products", kLimitXLarge, true);
  Aim four("four Base robots over one", kFourOverOne, true);
  Aim int8("int8 times faster than bf16", kInt8OverBf16, false);
  for (const auto& r : report.rows) {
    const std::string row =
        fmt::format("{}, {} robots, {} threads", nn::to_string(r.precision), r.robots, r.threads);
    if (r.limit && r.size == "Base") base.take(r.limit->median, row);
    if (r.limit && r.size == "XLarge") xlarge.take(r.limit->median, row);
    if (r.batch_over_1 && r.size == "Base" && r.robots == 4) four.take(r.batch_over_1->median, row);
  }
  for (const auto& r : report.precisions) {
    if (r.size == "Large" || r.size == "XLarge")
      int8.take(r.int8_over_bf16.median, fmt::format("{}, {} threads", r.size, r.threads));
  }
  return base.text() + xlarge.text() + int8.text() + four.text();
}

}  // namespace

nlohmann::json json_of(const TrunkBenchReport& report) {
  auto rows = nlohmann::json::array(), batches = rows, precisions = rows, left_out = rows;
  for (const auto& r : report.rows) {
    rows.push_back(json_of(r));
    if (!r.batch_over_1 || r.robots != 4) continue;
    batches.push_back({{"size", r.size},
                       {"precision", nn::to_string(r.precision)},
                       {"threads", r.threads},
                       {"ratio", r.batch_over_1->median},
                       {"ratio_min", r.batch_over_1->min},
                       {"ratio_max", r.batch_over_1->max},
                       {"bare_ratio", nullptr}});
    if (const auto ratio = bare_over_one(report, r)) batches.back()["bare_ratio"] = *ratio;
  }
  for (const auto& r : report.precisions) {
    precisions.push_back({{"size", r.size},
                          {"threads", r.threads},
                          {"ratio", r.int8_over_bf16.median},
                          {"ratio_min", r.int8_over_bf16.min},
                          {"ratio_max", r.int8_over_bf16.max}});
  }
  for (const auto& r : report.left_out)
    left_out.push_back({{"what", r.what}, {"reason", r.reason}});
  return {{"rows", rows},         {"int8_over_bf16", precisions}, {"batch4_over_1", batches},
          {"left_out", left_out}, {"machine", machine_facts()},   {"load", report.load}};
}

std::string text_of(const TrunkBenchReport& report) {
  const auto machine = machine_facts();
  std::string text =
      fmt::format("{} ({} cores), {}, load {:.1f}; 32 tokens a robot\n",
                  machine["processor"].get<std::string>(), machine["cores"].get<int>(),
                  machine["onednn"].get<std::string>(), report.load);
  text += fmt::format("{:<7} {:<5} {:>6} {:>7} {:>9} {:>9} {:>9} {:>9} {:>6}  {:<13} {:<8} {:>6}\n",
                      "size", "", "robots", "threads", "p50 [ms]", "p99 [ms]", "tokens/s",
                      "bare [ms]", "limit", "(min to max)", "aim", "roof");
  for (const auto& r : report.rows) {
    std::string limit = fmt::format("{:>9} {:>6}  {:<13} {:<8}", "", "", "", "");
    if (r.limit) {
      const double aim = limit_of(r.size);
      limit = fmt::format("{:>9.3f} {:>6.2f}  {:<13} {:<8}", r.bare_ms_p50, r.limit->median,
                          fmt::format("({:.2f} to {:.2f})", r.limit->min, r.limit->max),
                          aim == 0                 ? ""
                          : r.limit->median <= aim ? "met"
                                                   : "not met");
    }
    text += fmt::format("{:<7} {:<5} {:>6} {:>7} {:>9.3f} {:>9.3f} {:>9.0f} {} {:>6.1f}\n", r.size,
                        nn::to_string(r.precision), r.robots, r.threads, r.ms_p50, r.ms_p99,
                        r.tokens_per_s, limit, r.roof_ratio);
  }
  for (const auto& r : report.rows) {
    if (r.robots != 4 || !r.batch_over_1) continue;
    const auto bare = bare_over_one(report, r);
    text += fmt::format("{} {}, {} threads: four robots {:.2f} times the time of one{}\n", r.size,
                        nn::to_string(r.precision), r.threads, r.batch_over_1->median,
                        bare ? fmt::format(" (bare products {:.2f})", *bare) : "");
  }
  if (report.load > kBusy) text += "others used this machine: look at it again when it is idle\n";
  text += "limit: over the bare products; roof: over reading the weights once\n";
  for (const auto& r : report.precisions) {
    text += fmt::format("{}, {} threads, one robot: int8 {:.2f} times as fast as bf16\n", r.size,
                        r.threads, r.int8_over_bf16.median);
  }
  return text + aims_of(report);
}

}  // namespace cambium::bench
