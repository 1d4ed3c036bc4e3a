#include "core/runtime/trunk_swap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

#include "core/base/nearest.hpp"
#include "core/trunk/link.hpp"

namespace cambium::runtime {
namespace {

constexpr base::Nanoseconds kLoadTimeout = 10 * 60 * base::kSecond;
constexpr base::Nanoseconds kForEver = std::numeric_limits<base::Nanoseconds>::max();

double milliseconds_since(base::Nanoseconds begin) {
  return static_cast<double>(base::monotonic_ns() - begin) * 1e-6;
}

std::string short_hex(const std::string& id) {
  return id.substr(0, 16);
}

}  // namespace

TrunkSwap::TrunkSwap(std::vector<std::shared_ptr<RobotSlot>> slots, Means means,
                     TrunkSwapRequest request)
    : slots_(std::move(slots)), means_(std::move(means)), request_(std::move(request)) {}

TrunkSwapReport TrunkSwap::run(std::shared_ptr<const nn::Stock>& stock) {
  const base::Nanoseconds began = base::monotonic_ns();
  report_.from = report_.trunk = stock ? stock->trunk_id() : "";
  Result<void> done = check_names();
  if (done) {
    const auto next = load();
    report_.load_ms = milliseconds_since(began);
    done = next ? change_all(*next) : Result<void>(next.error());
    const auto keep = [&](const nn::Stock& which, base::Nanoseconds until) {
      means_.keep(base::from_hex(which.trunk_id()), which.file().path(), until);
    };
    if (done && !request_.dry_run) {
      if (stock && request_.keep_old > 0) keep(*stock, base::monotonic_ns() + request_.keep_old);
      stock = *next;
      report_.trunk = stock->trunk_id();
    }
    // From here on robots need it, or nobody does.
    if (!report_.wanted.empty()) means_.keep(base::from_hex(report_.wanted), request_.stock, 0);
  }
  if (!done) {
    report_.code = done.error().code;
    report_.reason = done.error().message;
  }
  report_.rehearsed = done && request_.dry_run;
  report_.total_ms = milliseconds_since(began);
  return report_;
}

Result<void> TrunkSwap::check_names() const {
  std::vector<std::string> names;
  for (const auto& slot : slots_) names.push_back(slot->robot->name());
  for (const auto& [robot, bundle] : request_.bundles) {
    if (std::find(names.begin(), names.end(), robot) == names.end())
      return Error{Code::not_found, fmt::format("no robot '{}' for bundle '{}'{}", robot,
                                                bundle.string(), base::did_you_mean(robot, names))};
  }
  return {};
}

// The trunk process reads the file and says what it is; this host reads it for its shared stems,
// and must have seen the same.
Result<std::shared_ptr<const nn::Stock>> TrunkSwap::load() {
  const auto loaded = trunk::load_stock(means_.context, means_.endpoint, request_.stock, nullptr,
                                        kLoadTimeout, means_.swap.give_up);
  if (!loaded) return loaded.error();
  report_.wanted = base::to_hex(loaded->id);
  report_.chosen = loaded->chosen;
  means_.keep(loaded->id, request_.stock, kForEver);
  if (report_.wanted == report_.from)
    return Error{Code::bad_argument,
                 fmt::format("'{}' is trunk {}, which the robots of this host use already",
                             request_.stock.string(), short_hex(report_.wanted))};
  const auto whole = nn::Stock::open_mapped(request_.stock, means_.check);
  if (!whole) return whole.error();
  const nn::StockIdentity identity = whole->computed_identity();
  if (auto same = whole->file().unchanged(); !same) return same.error();
  if (identity.trunk != report_.wanted)
    return Error{
        Code::incompatible,
        fmt::format("'{}' is trunk {} here, and {} for the trunk process: it was replaced "
                    "meanwhile, or they do not see the same files",
                    request_.stock.string(), short_hex(identity.trunk), short_hex(report_.wanted))};
  // A host needs no trunk weights.
  auto stems = nn::Stock::open_stems(request_.stock, identity);
  if (!stems) return stems.error();
  return std::make_shared<const nn::Stock>(std::move(*stems));
}

Result<void> TrunkSwap::change_all(const std::shared_ptr<const nn::Stock>& next) {
  std::vector<SwapRequest> requests;
  std::vector<RobotSlot*> slots;
  for (const auto& slot : slots_) {
    const std::string& name = slot->robot->name();
    const auto given = request_.bundles.find(name);
    if (given == request_.bundles.end() && slot->now.config.bundle.empty()) continue;  // it holds
    SwapRequest request{
        .robot = name, .shadow = 0, .probation = request_.probation, .dry_run = request_.dry_run};
    if (given != request_.bundles.end()) request.bundle = given->second;
    requests.push_back(std::move(request));
    slots.push_back(slot.get());
  }
  Pact pact(slots.size());
  Swap::Means means = means_.swap;
  means.ground = {.stock = next, .needs_trunk = true};
  means.pact = &pact;
  report_.robots.resize(slots.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    threads.emplace_back([&, i] { report_.robots[i] = Swap(*slots[i], means, requests[i]).run(); });
  }
  for (auto& thread : threads) thread.join();

  Error error;
  for (const auto& robot : report_.robots) {
    if (robot.end == SwapStage::rolled_back) report_.taken_back = true;
    if (robot.ok() || robot.with_others) continue;
    error.message += (error.message.empty() ? "" : "; ") + robot.reason;
    error.code = robot.code;
  }
  if (!error.message.empty()) return error;
  return {};
}

}  // namespace cambium::runtime
