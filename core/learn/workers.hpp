// core/learn/workers.hpp: a few threads that share out the parts of a step.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cambium::learn {

/// Runs numbered tasks on its threads. Which thread takes which task is left open, so a task writes
/// only what is its own; then results do not depend on the number of threads.
class Workers {
 public:
  /// 0 threads: as many as the machine has.
  explicit Workers(std::uint32_t threads);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  std::size_t size() const noexcept { return threads_.size(); }
  /// task(0) … task(count - 1); returns when all are done. One caller at a time.
  void run(std::size_t count, const std::function<void(std::size_t)>& task);

 private:
  void work();

  std::mutex mutex_;  // guards all below but threads_
  std::condition_variable begin_, end_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t next_ = 0, count_ = 0, running_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace cambium::learn
