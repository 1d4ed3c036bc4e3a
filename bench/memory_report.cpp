#include "bench/memory_report.hpp"

#include <fmt/format.h>

#include <cmath>

#include "bench/machine.hpp"

namespace cambium::bench {
namespace {

// Issue and docs/performance.md.
constexpr double kRssGrowth = 0.01, kDrift = 0.10, kSinksSpeedup = 22.2, kDecodeSpeedup = 8.4,
                 kMemorySaved = 0.70, kBatchSpeedup = 4;
constexpr std::uint32_t kBatchRobots = 64;
// Above this load average somebody else is at work.
constexpr double kBusy = 0.7;

const char* verdict(bool met) {
  return met ? "met" : "NOT MET";
}

bool grows(const StreamRow& row) {
  return std::abs(row.rss_growth()) >= kRssGrowth;
}

bool drifts(const StreamRow& row) {
  return std::abs(row.ns_per_token_last / row.ns_per_token_first - 1) > kDrift;
}

std::string size_text(double bytes) {
  return bytes < 1 << 20 ? fmt::format("{:.1f} KB", bytes / 1024)
                         : fmt::format("{:.1f} MB", bytes / (1 << 20));
}

std::string stream_text(const MemoryReport& report) {
  if (report.stream.empty()) return "";
  std::string text =
      fmt::format("\n{:<12}{:>10}{:>11}{:>15}{:>13}{:>13}{:>9}{:>9}\n", "stream", "tokens", "state",
                  "resident grows", "first ns", "last ns", "ratio", "in turns");
  for (const auto& row : report.stream)
    text += fmt::format("{:<12}{:>10}{:>11}{:>13.2f} %{:>13.0f}{:>13.0f}{:>9.3f}{:>9.3f}  {}\n",
                        row.arch, row.tokens, size_text(static_cast<double>(row.state_bytes)),
                        100 * row.rss_growth(), row.ns_per_token_first, row.ns_per_token_last,
                        row.ns_per_token_last / row.ns_per_token_first, row.last_over_first,
                        verdict(!grows(row) && !drifts(row)));
  return text + "  aims: resident memory grows by less than 1 %, last within 10 % of first\n";
}

std::string sinks_text(const MemoryReport& report) {
  if (report.sinks.empty()) return "";
  std::string text = fmt::format("\n{:<12}{:>12}{:>16}{:>10}\n", "sinks, cache", "us a token",
                                 "recomputed us", "speedup");
  for (const auto& row : report.sinks)
    text += fmt::format("{:<12}{:>12.1f}{:>16.1f}{:>10.1f}  ({:.1f} to {:.1f}) {}\n", row.cache,
                        row.us_sinks, row.us_recompute, row.speedup, row.speedup_min,
                        row.speedup_max, verdict(row.speedup > kSinksSpeedup));
  return text + "  aim: above 22.2\n";
}

std::string decode_text(const MemoryReport& report) {
  if (report.decode.empty()) return "";
  std::string text =
      fmt::format("\n{:<12}{:>8}{:>8}{:>10}{:>12}{:>10}{:>16}{:>16}\n", "decode", "context",
                  "robots", "us", "full us", "speedup", "memory saved", "with weights");
  for (const auto& row : report.decode)
    text += fmt::format(
        "{:<12}{:>8}{:>8}{:>10.1f}{:>12.1f}{:>10.1f}{:>14.1f} %{:>14.1f} %  {}\n", row.arch,
        row.context, row.robots, row.us, row.full_us, row.speedup_vs_full, 100 * row.memory_saved(),
        100 * row.memory_saved_with_weights(),
        verdict(row.speedup_vs_full > kDecodeSpeedup && row.memory_saved() > kMemorySaved));
  return text + "  aims: speedup above 8.4, memory saved above 70 %\n";
}

std::vector<std::string> architectures_of(const MemoryReport& report) {
  std::vector<std::string> names;
  for (const auto& row : report.growth)
    if (std::find(names.begin(), names.end(), row.arch) == names.end()) names.push_back(row.arch);
  return names;
}

std::string growth_text(const MemoryReport& report) {
  if (report.growth.empty()) return "";
  const auto names = architectures_of(report);
  std::string text = fmt::format("\n{:<12}", "us a token");
  for (const auto& name : names) text += fmt::format("{:>12}", name);
  std::uint32_t context = 0;
  for (const auto& row : report.growth) {
    if (row.context != context) text += fmt::format("\n{:<12}", context = row.context);
    text += fmt::format("{:>12.1f}", row.ns_per_token * 1e-3);
  }
  return text + "\n";
}

std::string batch_text(const MemoryReport& report) {
  if (report.batch.empty()) return "";
  std::string text = fmt::format("\n{:<12}{:>8}{:>14}{:>12}{:>10}\n", "batch", "robots",
                                 "together us", "apart us", "speedup");
  for (const auto& row : report.batch)
    text += fmt::format("{:<12}{:>8}{:>14.1f}{:>12.1f}{:>10.2f}  {}\n", row.arch, row.robots,
                        row.us_together, row.us_apart, row.speedup,
                        row.robots == kBatchRobots ? verdict(row.speedup >= kBatchSpeedup) : "");
  return text + fmt::format("  size {}, a step of {} token{}; aim: at least 4 with 64 robots\n",
                            report.batch[0].size, report.batch[0].request,
                            report.batch[0].request == 1 ? "" : "s");
}

std::string snapshot_text(const MemoryReport& report) {
  if (!report.snapshot) return "";
  const auto& row = *report.snapshot;
  std::string text =
      fmt::format("\nsnapshot    {} of {}, saved in {:.2f} ms, loaded in {:.2f} ms\n",
                  size_text(static_cast<double>(row.bytes)), row.arch, row.save_ms, row.load_ms);
  if (row.hz > 0)
    text += fmt::format(
        "  kill -9, {} times: {:.0f} steps lost at {:.0f} Hz, at most {:.0f}; a snapshot each "
        "{:.0f} "
        "ms\n",
        row.kills, row.ticks_lost_p50, row.hz, row.ticks_lost, row.snapshot_ms);
  return text;
}

}  // namespace

nlohmann::json json_of(const MemoryReport& report) {
  using nlohmann::json;
  json stream = json::array(), sinks = stream, growth = stream, decode = stream, batch = stream,
       left_out = stream;
  for (const auto& row : report.stream)
    stream.push_back({{"arch", row.arch},
                      {"tokens", row.tokens},
                      {"request", report.request},
                      {"state_bytes", row.state_bytes},
                      {"weight_bytes", row.weight_bytes},
                      {"rss_bytes_early", row.rss_early},
                      {"rss_bytes_end", row.rss_end},
                      {"rss_growth", row.rss_growth()},
                      {"ns_per_token_first", row.ns_per_token_first},
                      {"ns_per_token_last", row.ns_per_token_last},
                      {"last_over_first_in_turns", row.last_over_first}});
  for (const auto& row : report.sinks)
    sinks.push_back({{"cache", row.cache},
                     {"speedup", row.speedup},
                     {"speedup_min", row.speedup_min},
                     {"speedup_max", row.speedup_max},
                     {"us_per_token", row.us_sinks},
                     {"recompute_us_per_token", row.us_recompute},
                     {"recompute_request", row.recompute_request}});
  for (const auto& row : report.growth)
    growth.push_back(
        {{"arch", row.arch}, {"context", row.context}, {"ns_per_token", row.ns_per_token}});
  for (const auto& row : report.decode)
    decode.push_back({{"arch", row.arch},
                      {"context", row.context},
                      {"robots", row.robots},
                      {"speedup_vs_full", row.speedup_vs_full},
                      {"speedup_min", row.speedup_min},
                      {"speedup_max", row.speedup_max},
                      {"memory_saved", row.memory_saved()},
                      {"memory_saved_with_weights", row.memory_saved_with_weights()},
                      {"state_bytes", row.state_bytes},
                      {"full_bytes", row.full_bytes},
                      {"us", row.us},
                      {"full_us", row.full_us}});
  for (const auto& row : report.batch)
    batch.push_back({{"arch", row.arch},
                     {"size", row.size},
                     {"robots", row.robots},
                     {"request", row.request},
                     {"speedup", row.speedup},
                     {"speedup_min", row.speedup_min},
                     {"speedup_max", row.speedup_max},
                     {"us_together", row.us_together},
                     {"us_apart", row.us_apart}});
  for (const auto& out : report.left_out)
    left_out.push_back({{"what", out.what}, {"reason", out.reason}});
  json all = {{"size", report.size},
              {"width", report.width},
              {"blocks", report.blocks},
              {"heads", report.heads},
              {"precision", report.precision},
              {"threads", report.threads},
              {"stream", stream},
              {"sinks", sinks},
              {"decode", decode},
              {"growth", growth},
              {"batch", batch},
              {"snapshot", nullptr},
              {"left_out", left_out},
              {"load", report.load},
              {"seconds", report.seconds},
              {"machine", machine_facts()}};
  if (report.snapshot) {
    const auto& row = *report.snapshot;
    all["snapshot"] = {{"arch", row.arch},
                       {"bytes", row.bytes},
                       {"save_ms", row.save_ms},
                       {"load_ms", row.load_ms},
                       {"ticks_lost", nullptr}};
    if (row.hz > 0)
      all["snapshot"].update({{"ticks_lost", row.ticks_lost},
                              {"ticks_lost_p50", row.ticks_lost_p50},
                              {"kills", row.kills},
                              {"hz", row.hz},
                              {"snapshot_ms", row.snapshot_ms}});
  }
  return all;
}

std::string text_of(const MemoryReport& report) {
  std::string text = fmt::format(
      "size {}: width {}, {} blocks, {} heads; {}, {} thread{}; {} tokens a request; {:.0f} s\n",
      report.size, report.width, report.blocks, report.heads, report.precision, report.threads,
      report.threads == 1 ? "" : "s", report.request, report.seconds);
  text += stream_text(report) + sinks_text(report) + decode_text(report) + growth_text(report) +
          batch_text(report) + snapshot_text(report);
  if (report.load > kBusy)
    text += fmt::format("\nload average {:.1f} when it began: take these numbers with care\n",
                        report.load);
  return text;
}

}  // namespace cambium::bench
