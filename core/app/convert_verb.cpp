#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/app/exit_code.hpp"
#include "core/app/verb.hpp"
#include "core/base/nearest.hpp"
#include "core/learn/interrupt.hpp"
#include "core/nn/convert_stock.hpp"

namespace cambium::app {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string from, to, precision;
  bool force = false, json = false;
};

/// A bar on a terminal, for files that take long enough to be waited for.
class Bar {
 public:
  ~Bar() {
    if (shown_ >= 0) std::fputs("\r\x1b[K", stderr);
  }
  void show(std::uint64_t written, std::uint64_t all) {
    constexpr std::uint64_t kBig = 64'000'000;  // [B]
    constexpr int kCells = 24;
    const int percent = static_cast<int>(100 * written / all);
    if (!terminal_ || all < kBig || percent == shown_) return;
    shown_ = percent;
    const auto cells = static_cast<std::size_t>(percent * kCells / 100);
    fmt::print(stderr, "\r[{}{}] {:3}%  {:.0f}/{:.0f} MB", std::string(cells, '#'),
               std::string(kCells - cells, '.'), percent, static_cast<double>(written) * 1e-6,
               static_cast<double>(all) * 1e-6);
    std::fflush(stderr);
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  int shown_ = -1;
};

Result<nn::Precision> parse(const std::string& text) {
  if (const auto precision = nn::parse_precision(text)) return *precision;
  std::vector<std::string> names;
  for (const auto one : nn::kPrecisions) names.emplace_back(to_string(one));
  return Error{Code::bad_argument,
               fmt::format("option --precision: '{}'{}", text, base::did_you_mean(text, names))};
}

Result<nn::Conversion> convert(const Options& options) {
  const auto precision = parse(options.precision);
  if (!precision) return precision.error();
  std::error_code ignored;
  if (fs::equivalent(options.from, options.to, ignored))
    return Error{Code::bad_argument,
                 fmt::format("'{}' is the stock itself: bundles name the trunk that it holds, so "
                             "give the new one a file of its own",
                             options.to)};
  if (!options.force && fs::exists(options.to, ignored))
    return Error{Code::bad_argument,
                 fmt::format("'{}' is there already; --force writes over it", options.to)};
  const learn::Interrupt interrupt;
  Bar bar;
  return nn::convert_stock(options.from, options.to, *precision,
                           [&](std::uint64_t written, std::uint64_t all) {
                             bar.show(written, all);
                             return !interrupt.asked();
                           });
}

nlohmann::ordered_json json_of(const std::string& file, const nn::ConvertedFile& side) {
  return {{"file", file},
          {"trunk", side.trunk_id},
          {"precision", to_string(side.precision)},
          {"bytes", side.bytes}};
}

void print(const Options& options, const nn::Conversion& done) {
  const bool same = done.from.trunk_id == done.to.trunk_id;
  if (options.json) {
    const nlohmann::ordered_json object = {{"event", "converted"},
                                           {"from", json_of(options.from, done.from)},
                                           {"to", json_of(options.to, done.to)},
                                           {"tensors", done.tensors},
                                           {"changed", done.changed},
                                           {"error", done.error},
                                           {"same_trunk", same}};
    fmt::print("{}\n", object.dump());
    return;
  }
  const auto side = [](const char* word, const nn::ConvertedFile& file) {
    fmt::print("{}  trunk {}  {:<4}  {:.1f} MB\n", word, file.trunk_id, to_string(file.precision),
               static_cast<double>(file.bytes) * 1e-6);
  };
  fmt::print("wrote {}: {} of {} tensors are stored in another way, error {:.2g}\n", options.to,
             done.changed, done.tensors, done.error);
  side("was", done.from);
  side("is ", done.to);
  if (same)
    fmt::print("The weights are the same, so it is the same trunk.\n");
  else
    fmt::print(
        "This is another trunk: bundles made for the old one do not fit it and have to be grafted "
        "again. To run the old one in {} and keep its bundles, leave its file and set "
        "[trunk] precision = \"{}\".\n",
        to_string(done.to.precision), to_string(done.to.precision));
}

int run(const Options& options) {
  const auto done = convert(options);
  if (!done) {
    if (options.json)
      fmt::print("{}\n", nlohmann::json{{"event", "error"},
                                        {"code", to_string(done.error().code)},
                                        {"text", done.error().message}}
                             .dump());
    fmt::print(stderr, "cambium convert: {}\n", done.error().message);
    return exit_code_of(done.error().code);
  }
  print(options, *done);
  return kDone;
}

}  // namespace

void add_convert(CLI::App& program, int& exit_code) {
  auto* verb = program.add_subcommand(
      "convert", "Write a stock again with its large weights stored in another precision.");
  auto options = std::make_shared<Options>();
  verb->add_option("from", options->from, "Stock to read")->required();
  verb->add_option("to", options->to, "Stock to write")->required();
  verb->add_option("--precision", options->precision, "f32, bf16 or int8")->required();
  verb->add_flag("--force", options->force, "Write over a file that is there");
  verb->add_flag("--json", options->json, "Report as one JSON object");
  verb->footer(
      "Example:\n  cambium convert models/stock.safetensors stock.bf16.safetensors --precision "
      "bf16\n\nOther stored weights are another trunk, with another id and bundles of its own. To "
      "only run a\ntrunk in another precision, keep its file and set [trunk] precision.");
  verb->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace cambium::app
