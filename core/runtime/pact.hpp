// core/runtime/pact.hpp: robots that change together: none goes on before all have come, and one
// that is not well stops all.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace cambium::runtime {

/// Each of `parties` threads calls agree() equally often.
class Pact {
 public:
  explicit Pact(std::size_t parties) : parties_(parties) {}

  /// Waits for all others; true if all were well. [setup]
  bool agree(bool well) {
    std::unique_lock lock(mutex_);
    all_well_ = all_well_ && well;
    if (++come_ == parties_) {
      come_ = 0;
      ++round_;
      went_well_ = all_well_;
      all_well_ = true;
      changed_.notify_all();
      return went_well_;
    }
    const std::size_t mine = round_;
    changed_.wait(lock, [&] { return round_ != mine; });
    return went_well_;
  }
  /// Somebody has come to the round under way, and was not well: no use in waiting any longer.
  /// [setup]
  bool failed() const {
    const std::lock_guard lock(mutex_);
    return !all_well_;
  }

 private:
  const std::size_t parties_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::size_t come_ = 0, round_ = 0;
  bool all_well_ = true, went_well_ = true;
};

}  // namespace cambium::runtime
