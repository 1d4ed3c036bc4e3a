// core/base/spsc_ring.hpp: the bounded queue between two threads; slots are made once and lent out
// in place.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

namespace cambium::base {

/// Producers 1, consumers 1, bounded, lock-free, never waits. When full, loan() gives null and the
/// producer decides.
///
///   if (Slot* slot = ring.loan()) { fill(*slot); ring.publish(); }      // producer
///   while (Slot* slot = ring.front()) { use(*slot); ring.pop(); }       // consumer
template <class Slot>
class SpscRing {
 public:
  /// `capacity` default-made slots. [setup]
  explicit SpscRing(std::size_t capacity) : slots_(capacity) {}

  /// The slots, to size their buffers before the ring is shared. [setup]
  std::vector<Slot>& slots() noexcept { return slots_; }

  /// The next free slot, or null if the ring is full. [producer, rt]
  Slot* loan() noexcept {
    const auto head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == slots_.size()) return nullptr;
    return &slots_[head % slots_.size()];
  }
  /// Hands the loaned slot over. [producer, rt]
  void publish() noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  /// The oldest published slot, or null if the ring is empty. [consumer, rt]
  Slot* front() noexcept {
    const auto tail = tail_.load(std::memory_order_relaxed);
    if (head_.load(std::memory_order_acquire) == tail) return nullptr;
    return &slots_[tail % slots_.size()];
  }
  /// Gives the front slot back to the producer. [consumer, rt]
  void pop() noexcept {
    tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

 private:
  std::vector<Slot> slots_;
  // On lines of their own: each is written by one thread and read by the other.
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

}  // namespace cambium::base
