// bench/transfer/recordings.hpp: what the expert shows on each body, recorded once for all rows
// that learn from it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "core/learn/demonstrations.hpp"
#include "examples/tasks/task.hpp"

namespace cambium::transfer {

/// Immutable, and shared by the rows that use it.
struct Recording {
  tasks::TaskBody body;
  learn::Demonstrations demonstrations;
};

/// Makes recordings as they are asked for and keeps the last few. Any thread.
class Recordings {
 public:
  /// episodes  of each; fewer demonstrations are its first
  /// keep      how many stay in memory beyond their use: some tens of MB each
  Recordings(std::uint32_t episodes, std::size_t keep, std::function<bool()> stopped);

  /// Waits if another thread makes the same. Code::failed if it was stopped.
  Result<std::shared_ptr<const Recording>> get(const std::string& task, const std::string& body,
                                               std::uint64_t seed);

 private:
  struct Entry {
    std::string task, body;
    std::uint64_t seed = 0;
    bool ready = false;
    std::shared_ptr<const Recording> recording;
    Error error;
  };
  void make(Entry& entry) const;

  const std::uint32_t episodes_;
  const std::size_t keep_;
  const std::function<bool()> stopped_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable made_;
  std::deque<std::shared_ptr<Entry>> entries_;  // the one used last is the last
};

}  // namespace cambium::transfer
