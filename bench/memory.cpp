#include "bench/memory.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "bench/memory_bench.hpp"
#include "bench/process.hpp"
#include "core/base/clock.hpp"
#include "core/base/nearest.hpp"

namespace cambium::bench {
namespace {

struct Part {
  const char* name;
  Result<void> (*run)(MemoryBench&);
  /// Times that it calls MemoryBench::begin().
  std::size_t (*things)(const MemoryOptions&);
};

constexpr Part kParts[] = {
    {"stream", bench_stream, [](const MemoryOptions& o) { return o.architectures.size(); }},
    {"sinks", bench_sinks, [](const MemoryOptions& o) { return o.caches.size(); }},
    {"decode", bench_decode, [](const MemoryOptions& o) { return 2 + o.contexts.size(); }},
    {"batch", bench_batch, [](const MemoryOptions& o) { return o.architectures.size(); }},
    {"snapshot", bench_snapshot, [](const MemoryOptions&) { return std::size_t{1}; }},
};

/// bad_argument with the nearest name if one is not among the valid ones.
Result<void> check(const char* what, const std::vector<std::string>& names,
                   const std::vector<std::string>& valid) {
  for (const auto& name : names)
    if (std::find(valid.begin(), valid.end(), name) == valid.end())
      return Error{Code::bad_argument,
                   std::string("no ") + what + " '" + name + "'" + base::did_you_mean(name, valid)};
  return {};
}

template <class All>
std::vector<std::string> names_of(const All& all) {
  std::vector<std::string> names;
  for (const auto& one : all) names.emplace_back(one.name);
  return names;
}

Result<void> check(const MemoryOptions& options) {
  if (auto ok = check("size", {options.size, options.batch_size}, names_of(kMemorySizes)); !ok)
    return ok;
  if (auto ok = check("part", options.parts, names_of(kParts)); !ok) return ok;
  const std::vector<std::string> architectures(std::begin(kMemoryArchitectures),
                                               std::end(kMemoryArchitectures));
  if (auto ok = check("architecture", options.architectures, architectures); !ok) return ok;
  const auto bad = [](const char* what) { return Error{Code::bad_argument, what}; };
  if (options.tokens < 1000) return bad("tokens: at least 1000, of which one percent is timed");
  for (const auto request : {options.request, options.batch_request})
    if (request == 0 || request > 256) return bad("request: 1 to 256 tokens");
  if (options.rounds == 0) return bad("rounds: at least 1");
  if (options.robots.empty()) return bad("robots: at least one number");
  if (!std::is_sorted(options.contexts.begin(), options.contexts.end()))
    return bad("contexts: each larger than the one before, because a memory only grows");
  for (const auto cache : options.caches)
    if (cache <= kSinks) return bad("caches: each larger than its 4 sinks");
  return {};
}

}  // namespace

Result<MemoryReport> run_memory(const MemoryOptions& options, const std::function<bool()>& stopped,
                                const MemoryProgress& progress) {
  if (auto ok = check(options); !ok) return ok.error();
  const MemorySize size = *find_memory_size(options.size);
  const base::Nanoseconds began = base::monotonic_ns();
  MemoryBench bench(options, size, stopped, progress);
  const auto wanted = [&](const Part& part) {
    return std::find(options.parts.begin(), options.parts.end(), part.name) != options.parts.end();
  };
  bench.all = 0;
  for (const auto& part : kParts)
    if (wanted(part)) bench.all += static_cast<double>(part.things(options));
  MemoryReport& report = bench.report;
  report.load = load_average();
  for (const auto& part : kParts)
    if (wanted(part))
      if (auto done = part.run(bench); !done) return done.error();
  report.size = size.name;
  report.width = size.width;
  report.blocks = size.blocks;
  report.heads = size.heads;
  report.request = options.request;
  report.threads = options.threads;
  report.precision = nn::to_string(options.precision);
  report.seconds = static_cast<double>(base::monotonic_ns() - began) * 1e-9;
  return std::move(report);
}

}  // namespace cambium::bench
