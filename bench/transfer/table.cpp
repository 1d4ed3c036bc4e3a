#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

#include "bench/transfer/report.hpp"
#include "bench/transfer/summary.hpp"

namespace cambium::transfer {
namespace {

constexpr int kNarrow = 10, kWide = 16;  // a cell without and with its steps

/// A block of columns: one for each count of demonstrations.
struct Block {
  std::vector<Cell> cells;
  bool with_steps = false;

  int width() const noexcept { return with_steps ? kWide : kNarrow; }
};

/// "83 ± 4", in percent.
std::string text_of(const Cell& cell, std::size_t seeds, bool with_steps) {
  std::string text = fmt::format("{:.0f}", 100 * cell.mean);
  if (cell.seeds > 1) text += fmt::format(" ± {:.0f}", 100 * cell.spread);
  if (with_steps) text += fmt::format(" @{}", cell.key.steps);
  const std::size_t wanted = cell.key.demos == 0 ? 1 : seeds;  // untrained, all would be the same
  if (cell.seeds < wanted) text += "*";
  return text;
}

/// Right-aligned: what fmt takes "±" for depends on its version.
std::string padded(const std::string& text, int width) {
  const auto bytes = std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
  return std::string(static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, width - bytes)), ' ') +
         text;
}

/// What the lines of a table differ by is in `mode` or in `variant`.
std::tuple<std::string, std::string, std::string, std::string> line_key(const RowKey& key) {
  return {key.task, key.body, key.mode, key.variant};
}

/// Panel after panel, line after line, in the order of their first cells.
std::string draw_lines(const Report& report, const std::vector<Block>& blocks, int name_width) {
  std::vector<RowKey> lines;
  for (const Block& block : blocks)
    for (const Cell& cell : block.cells)
      if (std::ranges::none_of(
              lines, [&](const RowKey& key) { return line_key(key) == line_key(cell.key); }))
        lines.push_back(cell.key);
  // Together, task by task as they were asked for; lines of one panel stay in their order.
  std::vector<std::pair<std::string, std::string>> panels;
  for (const RowKey& key : lines)
    if (std::ranges::find(panels, std::pair(key.task, key.body)) == panels.end())
      panels.emplace_back(key.task, key.body);

  std::string text;
  for (const auto& [task, body] : panels) {
    text += fmt::format("\n{:<{}}", task + " on " + body, name_width);
    for (const Block& block : blocks)
      for (const std::uint32_t demos : report.options.demos)
        text += padded(std::to_string(demos), block.width());
    text += "\n";
    for (const RowKey& line : lines) {
      if (line.task != task || line.body != body) continue;
      text +=
          fmt::format("  {:<{}}", line.variant.empty() ? line.mode : line.variant, name_width - 2);
      for (const Block& block : blocks)
        for (const std::uint32_t demos : report.options.demos) {
          const auto cell = std::ranges::find_if(block.cells, [&](const Cell& candidate) {
            return line_key(candidate.key) == line_key(line) && candidate.key.demos == demos;
          });
          text += padded(cell == block.cells.end()
                             ? "-"
                             : text_of(*cell, report.options.seeds.size(), block.with_steps),
                         block.width());
        }
      text += "\n";
    }
  }
  return text;
}

}  // namespace

std::string text_of(const Report& report) {
  const Options& options = report.options;
  std::string text = fmt::format(
      "Success in %, mean ± standard deviation over seeds {}; {} attempts each; columns: "
      "demonstrations.\n",
      fmt::join(options.seeds, ", "), options.attempts);
  if (!report.same.empty() || !report.best.empty()) {
    std::vector<Block> blocks = {{summarise(report.same), false}};
    text += fmt::format("{} steps", options.steps);
    if (!report.best.empty()) {
      blocks.push_back({summarise(report.best), true});
      text += fmt::format("; right: the steps, of {}, that each cell likes best",
                          fmt::join(options.candidates, ", "));
    }
    text += fmt::format(".\nStock {}, trunk {:.12}.\n", report.stock, report.trunk_id);
    text += draw_lines(report, blocks, 20);
  }
  if (!report.ablation.empty())
    text += "\nWhat the stock does for a body, part by part:\n" +
            draw_lines(report, {{summarise(report.ablation), false}}, 54);
  if (!report.scaling.empty())
    text += "\nStocks of equal steps and equally many demonstrations:\n" +
            draw_lines(report, {{summarise(report.scaling), false}}, 36);
  if (!report.whole) text += "\n-, *: not all rows are there yet; the same command goes on.\n";
  return text;
}

}  // namespace cambium::transfer
