#include "bench/forward.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/nearest.hpp"
#include "core/nn/safetensors.hpp"

namespace cambium::bench {
namespace {

using nlohmann::json;

constexpr std::uint32_t kMostPasses = 100'000;  // of one line; its answer is one line too

class Passes {
 public:
  Passes(std::unique_ptr<trunk::TrunkModel> model, const ForwardOptions& options)
      : model_(std::move(model)) {
    for (std::uint32_t i = 0; i < options.robots; ++i)
      segments_.push_back({i * options.tokens, options.tokens});
    input_.resize(std::size_t{options.robots} * options.tokens * model_->info().width);
    for (std::size_t i = 0; i < input_.size(); ++i)
      input_[i] = static_cast<float>(i * 7919 % 2003) / 1001.5F - 1.0F;
    rows_.resize(input_.size());
  }

  const trunk::ModelInfo& info() const { return model_->info(); }

  json answer(std::string_view line) {
    const auto space = std::min(line.find(' '), line.size());
    const std::string command(line.substr(0, space));
    const std::string argument(line.substr(std::min(space + 1, line.size())));
    if (command == "run") return run(argument);
    if (command == "input") return read(argument);
    if (command == "output") return write(argument);
    return error(fmt::format("no command '{}'{}", command,
                             base::did_you_mean(command, {"run", "input", "output", "quit"})));
  }

 private:
  static json error(std::string text) { return {{"error", std::move(text)}}; }
  std::size_t bytes() const { return input_.size() * sizeof(float); }

  // The copy is timed with the pass: a model works in place, and others read their input anew too.
  json run(const std::string& argument) {
    std::uint32_t passes = 0;
    const char *first = argument.data(), *last = first + argument.size();
    if (const auto read = std::from_chars(first, last, passes);
        read.ec != std::errc() || read.ptr != last || passes == 0 || passes > kMostPasses)
      return error(
          fmt::format("run: '{}', expected a whole number, 1 to {}", argument, kMostPasses));
    std::vector<double> ms(passes);
    for (double& one : ms) {
      const base::Nanoseconds start = base::monotonic_ns();
      std::memcpy(rows_.data(), input_.data(), bytes());
      const Status done = model_->forward(segments_, rows_.data());
      one = static_cast<double>(base::monotonic_ns() - start) * 1e-6;
      if (!done.ok()) return error(fmt::format("the pass failed: {}", to_string(done.code())));
    }
    has_run_ = true;
    return {{"ms", ms}};
  }

  json read(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return error(fmt::format("input '{}': cannot be read", path));
    if (const auto size = file.tellg(); size != static_cast<std::streamoff>(bytes()))
      return error(fmt::format("input '{}': {} bytes, expected {}: {} rows of {} f32", path,
                               static_cast<std::streamoff>(size), bytes(),
                               input_.size() / info().width, info().width));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(input_.data()), static_cast<std::streamsize>(bytes()));
    if (!file) return error(fmt::format("input '{}': cannot be read", path));
    return {{"done", "input"}};
  }

  json write(const std::string& path) const {
    if (!has_run_) return error("output: nothing has run yet");
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(rows_.data()), static_cast<std::streamsize>(bytes()));
    file.close();
    if (!file) return error(fmt::format("output '{}': cannot be written", path));
    return {{"done", "output"}};
  }

  std::unique_ptr<trunk::TrunkModel> model_;
  std::vector<trunk::Segment> segments_;
  std::vector<float> input_, rows_;  // (robots x tokens, width)
  bool has_run_ = false;
};

}  // namespace

Result<void> serve_forward(const ForwardOptions& options, std::istream& in, std::ostream& out) {
  auto file = nn::SafetensorsFile::open(options.stock);
  if (!file) return file.error();
  auto model_options = options.model;
  model_options.max_rows = options.robots * options.tokens;
  auto model = trunk::load_model(*file, model_options);
  if (!model) return model.error();
  Passes passes(std::move(*model), options);
  const trunk::ModelInfo& info = passes.info();
  out << json{{"event", "ready"},
              {"width", info.width},
              {"blocks", info.blocks},
              {"heads", info.heads},
              {"robots", options.robots},
              {"tokens", options.tokens},
              {"threads", options.model.threads},
              {"precision", nn::to_string(info.precision)},
              {"chosen", info.chosen}}
             .dump()
      << std::endl;
  for (std::string line; std::getline(in, line) && line != "quit";)
    out << passes.answer(line).dump() << std::endl;
  return {};
}

}  // namespace cambium::bench
