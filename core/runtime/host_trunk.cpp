// What a host has to do with its trunk: which it needs, and how all robots change it. The rest of
// Host is in host.cpp.
#include <fmt/format.h>

#include <utility>

#include "core/runtime/host.hpp"

namespace cambium::runtime {

// Of robots to come, of robots that are there, and what a change keeps for a while.
std::vector<TrunkNeed> Host::trunk_needs() {
  std::map<base::Digest, std::filesystem::path> needs;
  const auto add = [&](const std::shared_ptr<const nn::Stock>& stock) {
    if (stock) needs.emplace(base::from_hex(stock->trunk_id()), stock->file().path());
  };
  for (const auto& slot : slots()) {
    const std::lock_guard table(slot->table);
    if (!slot->now.config.bundle.empty()) add(slot->now.stock);
  }
  const std::lock_guard lock(table_);
  add(stock_);
  const base::Nanoseconds now = base::monotonic_ns();
  std::erase_if(kept_, [&](const auto& kept) { return kept.second.until <= now; });
  for (const auto& [id, kept] : kept_) needs.emplace(id, kept.stock);
  std::vector<TrunkNeed> list;
  for (auto& [id, stock] : needs) list.push_back({id, std::move(stock)});
  return list;
}

// On the thread of the trunk's keeper.
void Host::listen_to_trunk() {
  news_.look(slots(), io_->notices(), base::monotonic_ns());
}

TrunkSwapReport Host::swap_trunk(const TrunkSwapRequest& request) {
  const auto refuse = [this](Code code, std::string reason) {
    const std::string id = trunk_id();
    return TrunkSwapReport{.code = code, .reason = std::move(reason), .from = id, .trunk = id};
  };
  const std::unique_lock one(swapping_trunk_, std::try_to_lock);
  if (!one) return refuse(Code::busy, "another trunk-swap of this host is under way; ask again");
  const std::lock_guard adding(adding_);
  std::vector<std::shared_ptr<RobotSlot>> held_slots;
  std::vector<std::unique_lock<std::mutex>> held_locks;
  for (const auto& slot : slots()) {
    auto held = hold(slot->robot->name(), request.wait);
    if (!held) return refuse(held.error().code, held.error().message);
    held_slots.push_back(std::move(held->first));
    held_locks.push_back(std::move(held->second));
  }
  auto next = stock();
  TrunkSwap swap(std::move(held_slots),
                 {.context = *set_up_context_,
                  .endpoint = config_.trunk.endpoint,
                  .swap = means(),
                  .keep =
                      [this](const base::Digest& id, const std::filesystem::path& stock,
                             base::Nanoseconds until) {
                        const std::lock_guard lock(table_);
                        kept_[id] = {stock, until};
                      }},
                 request);
  const auto report = swap.run(next);
  {
    const std::lock_guard lock(table_);
    stock_ = std::move(next);
  }
  for (const auto& robot : report.robots) log_swap(robot);
  log(report.ok() ? fmt::format("trunk {} before, {} after", report.from, report.trunk)
                  : fmt::format("trunk {} goes on: {}", report.trunk, report.reason));
  return report;
}

}  // namespace cambium::runtime
