// core/base/shared_slot.hpp: numbers in memory that one process writes and another copies, with a
// sequence that tells the copier when it was overtaken.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace cambium::base {

/// Memory begins with a token, and from kSlotGrain on holds slots. A slot is a sequence, and from
/// byte kSlotGrain on its numbers; it begins and ends on a cache line.
inline constexpr std::size_t kSlotGrain = 64;

/// A sequence is odd while its slot is being written, and another one each time.
using SlotSequence = std::atomic_ref<std::uint64_t>;
using SlotWord = std::atomic_ref<std::uint64_t>;
static_assert(SlotWord::is_always_lock_free);

/// [bytes] of a slot for so many numbers. [any, rt]
constexpr std::size_t slot_bytes(std::size_t numbers) noexcept {
  return (kSlotGrain + numbers * sizeof(float) + kSlotGrain - 1) / kSlotGrain * kSlotGrain;
}

namespace slot_detail {
inline std::uint64_t* words(std::byte* at) noexcept {
  return reinterpret_cast<std::uint64_t*>(at);
}
}  // namespace slot_detail

/// Writes `values`, and last `sequence`, which must be even and not 0. [producer, rt]
inline void write_slot(std::byte* slot, std::span<const float> values,
                       std::uint64_t sequence) noexcept {
  std::uint64_t* const head = slot_detail::words(slot);
  std::uint64_t* to = slot_detail::words(slot + kSlotGrain);
  SlotSequence(*head).store(sequence - 1, std::memory_order_relaxed);
  // Each word releases the odd sequence: whoever sees one of them sees that too. A fence would do
  // the same, but thread sanitizers do not understand fences; on x86 this is a plain store.
  const auto put = [&to](const float* from, std::size_t bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, bytes);
    SlotWord(*to++).store(word, std::memory_order_release);
  };
  const std::size_t pairs = values.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) put(values.data() + 2 * i, sizeof(std::uint64_t));
  if (values.size() % 2 != 0) put(values.data() + 2 * pairs, sizeof(float));
  SlotSequence(*head).store(sequence, std::memory_order_release);
}

struct SlotCopy {
  bool whole = false;   ///< the slot had this sequence before and after
  bool finite = false;  ///< judged by what was copied, not by what lies there now
};

/// Copies out.size() numbers, once. If they are not whole, `out` holds nothing of use.
/// [consumer, rt]
inline SlotCopy read_slot(std::byte* slot, std::uint64_t sequence, std::span<float> out) noexcept {
  std::uint64_t* const head = slot_detail::words(slot);
  if (SlotSequence(*head).load(std::memory_order_acquire) != sequence) return {};
  std::uint64_t* from = slot_detail::words(slot + kSlotGrain);
  // Both numbers of a word at once: an exponent of ones, plus one, carries into the sign's place.
  constexpr std::uint64_t kExponents = 0x7f80'0000'7f80'0000, kOnes = 0x0080'0000'0080'0000,
                          kCarries = 0x8000'0000'8000'0000;
  std::uint64_t carries = 0;
  const auto take = [&](float* to, std::size_t bytes) {
    const std::uint64_t word = SlotWord(*from++).load(std::memory_order_acquire);
    const std::uint64_t counted = bytes == sizeof word ? word : word & 0xffff'ffff;
    carries |= (counted & kExponents) + kOnes;
    std::memcpy(to, &word, bytes);
  };
  const std::size_t pairs = out.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) take(out.data() + 2 * i, sizeof(std::uint64_t));
  if (out.size() % 2 != 0) take(out.data() + 2 * pairs, sizeof(float));
  return {.whole = SlotSequence(*head).load(std::memory_order_relaxed) == sequence,
          .finite = (carries & kCarries) == 0};
}

}  // namespace cambium::base
