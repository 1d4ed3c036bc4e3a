#include "core/trunk/shelf.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "core/base/realtime.hpp"
#include "core/trunk/warm_up.hpp"

namespace cambium::trunk {
namespace {

constexpr std::size_t kMostLanes = 2, kLongestPath = 4096;

std::string short_hex(const base::Digest& id) {
  return base::to_hex(id).substr(0, 16);
}

std::string whose(const Lane& lane) {
  return fmt::format("{} ({})", short_hex(lane.identity.id),
                     lane.needed_by.empty() ? "nobody has said that he needs it"
                                            : "needed by '" + lane.needed_by + "'");
}

// Reading and hashing can wait. Not the whole load: threads that a model makes would be patient for
// good.
Result<OpenedStock> open_patiently(const OpenStock& open, const std::filesystem::path& file) {
  Result<OpenedStock> stock = Error{};
  std::thread([&] {
    base::step_back();
    try {
      stock = open(file);
    } catch (const std::exception& what) {
      stock = Error{Code::limit, fmt::format("'{}': {}", file.string(), what.what())};
    }
  }).join();
  return stock;
}

}  // namespace

ModelShelf::ModelShelf(Options options, std::unique_ptr<Lane> first, OpenStock open,
                       base::Waker& done)
    : options_(std::move(options)), open_(std::move(open)), waker_(done) {
  first->needed = base::monotonic_ns();
  lanes_.push_back(std::move(first));
}

ModelShelf::~ModelShelf() {
  if (thread_.joinable()) thread_.join();
}

Lane* ModelShelf::find(std::span<const std::uint8_t> id) const noexcept {
  const auto found = std::ranges::find_if(
      lanes_, [&](const auto& lane) { return std::ranges::equal(lane->identity.id, id); });
  return found == lanes_.end() ? nullptr : found->get();
}

Result<void> ModelShelf::load(LoadOrder order, base::Nanoseconds now) {
  const std::string& path = order.stock.native();
  if (!open_)
    return Error{Code::unavailable, "this trunk serves the stock that it was started with only"};
  if (path.size() > kLongestPath || !order.stock.is_absolute() ||
      path.find('\0') != std::string::npos)
    return Error{
        Code::bad_argument,
        fmt::format("a stock is named by an absolute path of at most {} bytes", kLongestPath)};
  if (at_work())
    return Error{Code::busy, order_ ? fmt::format("the trunk is loading '{}'; ask again",
                                                  order_->stock.string())
                                    : "the trunk is putting a model away; ask again"};
  std::unique_ptr<Lane> leaves;
  if (lanes_.size() == kMostLanes) {
    const auto idle = std::ranges::find_if(lanes_, [&](const auto& lane) {
      return lane->empty() && now - lane->needed > options_.evictable;
    });
    if (idle == lanes_.end())
      return Error{Code::busy, fmt::format("the trunk serves two stocks already, {} and {}",
                                           whose(*lanes_[0]), whose(*lanes_[1]))};
    leaves = take(static_cast<std::size_t>(idle - lanes_.begin()));
  }
  begin(std::move(leaves), std::move(order));
  return {};
}

void ModelShelf::begin(std::unique_ptr<Lane> leaves, std::optional<LoadOrder> order) {
  order_ = std::move(order);
  ended_.store(false, std::memory_order_relaxed);
  thread_ = std::thread([this, gone = std::move(leaves)]() mutable {
    base::name_thread("cambium-shelf");
    if (gone) {
      gone.reset();
      ::malloc_trim(0);  // what is free inside the heap, too
    }
    if (order_) made_ = make(*order_);
    ended_.store(true, std::memory_order_release);
    waker_.wake();
  });
}

Result<ModelShelf::Made> ModelShelf::make(const LoadOrder& order) const {
  const std::string file = order.stock.string();
  try {
    auto stock = open_patiently(open_, order.stock);
    if (!stock) return stock.error();
    if (order.id && stock->id != *order.id)
      return Error{Code::incompatible,
                   fmt::format("'{}' is stock {}, expected {}; the file was replaced", file,
                               short_hex(stock->id), short_hex(*order.id))};
    if (stock->width > options_.max_width)
      return Error{Code::limit, fmt::format("'{}' is {} wide, this trunk takes up to {}", file,
                                            stock->width, options_.max_width)};
    // The io thread leaves lanes_ as they are until this has ended.
    if (find(stock->id) != nullptr) return Made{stock->id, nullptr};
    auto model = stock->make_model();
    if (!model) return model.error();
    warm_up(**model, options_.limits.batch.max_tokens);
    ServerIdentity identity = lanes_.front()->identity;  // made of the same options
    identity.id = stock->id;
    return Made{stock->id,
                std::make_unique<Lane>(options_.limits, std::move(identity), std::move(*model))};
  } catch (const std::exception& what) {
    return Error{Code::limit, fmt::format("'{}': {}", file, what.what())};
  }
}

std::optional<ModelShelf::Loaded> ModelShelf::loaded(base::Nanoseconds now) {
  if (!at_work() || !ended_.load(std::memory_order_acquire)) return std::nullopt;
  thread_.join();
  thread_ = {};
  if (!order_) return std::nullopt;
  Loaded loaded{*std::exchange(order_, std::nullopt)};
  Result<Made> made = std::exchange(made_, Error{});
  if (!made) {
    loaded.lane = made.error();
    return loaded;
  }
  if (made->lane) lanes_.push_back(std::move(made->lane));
  Lane* const lane = find(made->id);
  lane->needed = now;
  loaded.lane = lane;
  return loaded;
}

std::optional<base::Digest> ModelShelf::tidy(base::Nanoseconds now) {
  if (lanes_.size() < 2 || at_work()) return std::nullopt;
  // Of two that nobody needs, the one that was needed later stays; of equals, the older.
  const std::size_t least = lanes_[0]->needed < lanes_[1]->needed ? 0 : 1;
  if (now - lanes_[least]->needed <= options_.lease || !lanes_[least]->empty()) return std::nullopt;
  auto leaves = take(least);
  const base::Digest id = leaves->identity.id;
  begin(std::move(leaves), std::nullopt);
  return id;
}

std::unique_ptr<Lane> ModelShelf::take(std::size_t index) {
  auto lane = std::move(lanes_[index]);
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(index));
  return lane;
}

}  // namespace cambium::trunk
