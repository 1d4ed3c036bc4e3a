// core/trunk/shelf.hpp: the models of a trunk process: the one that serves and, while hosts change
// over, a second one beside it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/base/waker.hpp"
#include "core/trunk/lane.hpp"
#include "core/trunk/opened_stock.hpp"

namespace cambium::trunk {

/// Who asked to load what.
struct LoadOrder {
  transport::Peer from;
  std::uint64_t request = 0;
  std::filesystem::path stock;
  std::optional<base::Digest> id;  ///< what it must be; none: whatever it is
};

/// A model lives by being needed: hosts name in each hello the ids that they need. Of two, one that
/// nobody has named for `lease` is put away while somebody needs the other; if nobody needs either,
/// the newer. The last one always stays.
///
/// Threads    The io thread's. One thread beside it loads and puts away, one thing at a time.
class ModelShelf {
 public:
  struct Options {
    LaneLimits limits;
    std::uint32_t max_width = 0;                  ///< of a model that is loaded
    base::Nanoseconds lease = 5 * base::kSecond;  ///< several hellos
    base::Nanoseconds evictable = base::kSecond;  ///< not needed for so long: makes room
  };
  /// How a load ended. ok: lane is on the shelf, until it is put away.
  struct Loaded {
    LoadOrder order;
    Result<Lane*> lane = Error{};
  };

  /// `open` empty: nothing can be loaded. `done` is woken when a load has ended. [setup]
  ModelShelf(Options options, std::unique_ptr<Lane> first, OpenStock open, base::Waker& done);
  /// Waits for a load that is under way.
  ~ModelShelf();

  /// The older first; one or two. [io]
  std::span<const std::unique_ptr<Lane>> lanes() const noexcept { return lanes_; }
  /// Null if that id is not served. [io]
  Lane* find(std::span<const std::uint8_t> id) const noexcept;

  /// Begins to load; loaded() will tell, also that there is no room. busy: a load is under way;
  /// bad_argument: no path to read. [io]
  Result<void> load(LoadOrder order);
  /// The load that has ended since the last call. [io]
  std::optional<Loaded> loaded(base::Nanoseconds now);
  /// Puts away what nobody needs any more; returns what that was. [io]
  std::optional<base::Digest> tidy(base::Nanoseconds now);
  /// Time goes by for the shelf: call tidy() now and then.
  bool restless() const noexcept { return lanes_.size() > 1; }

 private:
  /// What the thread does.
  enum class Stage : std::uint8_t { idle, opening, making, leaving };

  template <class Work>
  void begin(Stage stage, Work work);
  Result<Lane*> place(base::Nanoseconds now);
  Result<std::unique_ptr<Lane>> make(const ServerIdentity& identity);
  static void put_away(std::unique_ptr<Lane> lane);
  std::unique_ptr<Lane> take(std::size_t index);

  const Options options_;
  const OpenStock open_;
  base::Waker& waker_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Stage stage_ = Stage::idle;
  std::optional<LoadOrder> order_;  // not changed while the thread works
  // The thread's, until `ended_`.
  Result<OpenedStock> opened_ = Error{};
  Result<std::unique_ptr<Lane>> made_ = Error{};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace cambium::trunk
