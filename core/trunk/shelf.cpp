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

Error failure(const std::filesystem::path& file, const std::exception& what) {
  return {Code::limit, fmt::format("'{}': {}", file.string(), what.what())};
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

Result<void> ModelShelf::load(LoadOrder order) {
  const std::string& path = order.stock.native();
  if (!open_)
    return Error{Code::unavailable, "this trunk serves the stock that it was started with only"};
  if (path.size() > kLongestPath || !order.stock.is_absolute() ||
      path.find('\0') != std::string::npos)
    return Error{
        Code::bad_argument,
        fmt::format("a stock is named by an absolute path of at most {} bytes", kLongestPath)};
  if (stage_ != Stage::idle)
    return Error{Code::busy, order_ ? fmt::format("the trunk is loading '{}'; ask again",
                                                  order_->stock.string())
                                    : "the trunk is putting a model away; ask again"};
  order_ = std::move(order);
  opened_ = Error{};
  // Reading and hashing can wait; the rest may not: threads that a model makes would be patient for
  // good.
  begin(Stage::opening, [this] {
    base::step_back();
    try {
      opened_ = open_(order_->stock);
    } catch (const std::exception& what) {
      opened_ = failure(order_->stock, what);
    }
  });
  return {};
}

template <class Work>
void ModelShelf::begin(Stage stage, Work work) {
  stage_ = stage;
  ended_.store(false, std::memory_order_relaxed);
  thread_ = std::thread([this, work = std::move(work)]() mutable {
    base::name_thread("cambium-shelf");
    work();
    ended_.store(true, std::memory_order_release);
    waker_.wake();
  });
}

// Where it is not served yet and there is room, what follows the reading.
Result<Lane*> ModelShelf::place(base::Nanoseconds now) {
  if (!opened_) return opened_.error();
  const std::string file = order_->stock.string();
  if (order_->id && opened_->id != *order_->id)
    return Error{Code::incompatible,
                 fmt::format("'{}' is stock {}, expected {}; the file was replaced", file,
                             short_hex(opened_->id), short_hex(*order_->id))};
  if (Lane* const same = find(opened_->id)) return same;
  if (opened_->width > options_.max_width)
    return Error{Code::limit, fmt::format("'{}' is {} wide, this trunk takes up to {}", file,
                                          opened_->width, options_.max_width)};
  std::unique_ptr<Lane> leaves;
  if (lanes_.size() == kMostLanes) {
    const auto idle = std::find_if(lanes_.rbegin(), lanes_.rend(), [&](const auto& lane) {
      return lane->empty() && now - lane->needed > options_.evictable;
    });
    if (idle == lanes_.rend())
      return Error{Code::busy, fmt::format("the trunk serves two stocks already, {} and {}",
                                           whose(*lanes_[0]), whose(*lanes_[1]))};
    leaves = take(static_cast<std::size_t>(lanes_.rend() - idle) - 1);
  }
  ServerIdentity identity = lanes_.front()->identity;  // made of the same options
  identity.id = opened_->id;
  begin(Stage::making, [this, identity, gone = std::move(leaves)]() mutable {
    put_away(std::move(gone));
    try {
      made_ = make(identity);
    } catch (const std::exception& what) {
      made_ = failure(order_->stock, what);
    }
  });
  return nullptr;
}

Result<std::unique_ptr<Lane>> ModelShelf::make(const ServerIdentity& identity) {
  auto model = opened_->make_model();
  opened_ = Error{};  // the file's bytes, where the model has copied them
  if (!model) return model.error();
  if (auto done = warm_up(**model, options_.limits.batch.max_tokens); !done)
    return Error{done.error().code,
                 fmt::format("'{}': {}", order_->stock.string(), done.error().message)};
  auto lane = Lane::make(options_.limits, identity, std::move(*model));
  if (!lane)
    return Error{lane.error().code,
                 fmt::format("'{}': {}", order_->stock.string(), lane.error().message)};
  return lane;
}

void ModelShelf::put_away(std::unique_ptr<Lane> lane) {
  if (!lane) return;
  lane.reset();
  ::malloc_trim(0);  // what is free inside the heap, too
}

std::optional<ModelShelf::Loaded> ModelShelf::loaded(base::Nanoseconds now) {
  if (stage_ == Stage::idle || !ended_.load(std::memory_order_acquire)) return std::nullopt;
  thread_.join();
  const Stage was = std::exchange(stage_, Stage::idle);
  if (was == Stage::leaving) return std::nullopt;
  Result<Lane*> lane = nullptr;
  if (was == Stage::opening) {
    lane = place(now);
    if (lane && *lane == nullptr) return std::nullopt;  // it is being made
  } else if (auto made = std::exchange(made_, Error{})) {
    lane = lanes_.emplace_back(std::move(*made)).get();
  } else {
    lane = made.error();
  }
  opened_ = Error{};
  if (lane) (*lane)->needed = now;
  return Loaded{*std::exchange(order_, std::nullopt), lane};
}

std::optional<base::Digest> ModelShelf::tidy(base::Nanoseconds now) {
  if (lanes_.size() < 2 || stage_ != Stage::idle) return std::nullopt;
  const auto unneeded = [&](std::size_t i, base::Nanoseconds time) {
    return now - lanes_[i]->needed > time;
  };
  // If nobody is left who needs any, the newer goes: it is not what this process was started with.
  const bool nobody = unneeded(0, options_.lease) && unneeded(1, options_.lease);
  for (const std::size_t i : {1U, 0U}) {
    const bool other = !unneeded(1 - i, options_.evictable);
    if (!unneeded(i, options_.lease) || !(other || nobody) || !lanes_[i]->empty()) continue;
    auto leaves = take(i);
    const base::Digest id = leaves->identity.id;
    begin(Stage::leaving, [gone = std::move(leaves)]() mutable { put_away(std::move(gone)); });
    return id;
  }
  return std::nullopt;
}

std::unique_ptr<Lane> ModelShelf::take(std::size_t index) {
  auto lane = std::move(lanes_[index]);
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(index));
  return lane;
}

}  // namespace cambium::trunk
