#include "core/client/frame_ring.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/base/shared_slot.hpp"

namespace cambium::client {

Result<FrameRing> FrameRing::make(std::span<const std::size_t> sizes) {
  FrameRing ring;
  std::size_t bytes = base::kSlotGrain;
  for (const std::size_t size : sizes) {
    ring.sensors_.push_back({.first = bytes, .size = size});
    if (size > kMaxBytes) bytes = kMaxBytes + 1;
    if (size != 0 && bytes <= kMaxBytes) bytes += kSlots * base::slot_bytes(size);
  }
  if (bytes > kMaxBytes) {
    return Error{Code::limit, "the large readings need more than " +
                                  std::to_string(kMaxBytes >> 20) + " MB of memory"};
  }
  if (!base::fill(ring.token_)) return Error{Code::failed, "no random bytes for a token"};
  auto memory = base::make_memory("cambium-frames");
  if (!memory) return memory.error();
  if (auto sealed = base::seal_memory(memory->get(), bytes); !sealed) return sealed.error();
  auto mapping = base::Mapping::map(memory->get(), bytes, base::Mapping::Access::write);
  if (!mapping) return mapping.error();
  std::ranges::copy(ring.token_, mapping->data());
  ring.memory_ = std::move(*memory);
  ring.mapping_ = std::move(*mapping);
  return ring;
}

std::size_t FrameRing::offset(const Slots& slots) const noexcept {
  return slots.first + slots.current * base::slot_bytes(slots.size);
}

void FrameRing::write(std::size_t sensor, std::span<const float> values,
                      std::uint64_t answered) noexcept {
  Slots& slots = sensors_[sensor];
  // The host may still be reading. Else the same slot again: it is in the cache.
  if (slots.lent > answered) slots.current = (slots.current + 1) % kSlots;
  slots.lent = 0;
  slots.sequence += 2;
  base::write_slot(mapping_.data() + offset(slots), values, slots.sequence);
}

FrameRing::Place FrameRing::lend(std::size_t sensor, std::uint64_t observation) noexcept {
  Slots& slots = sensors_[sensor];
  slots.lent = observation;
  return {.offset = offset(slots), .sequence = slots.sequence, .size = slots.size};
}

}  // namespace cambium::client
