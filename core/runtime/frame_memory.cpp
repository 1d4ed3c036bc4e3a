#include "core/runtime/frame_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/shared_slot.hpp"

namespace cambium::runtime {

Result<std::unique_ptr<FrameMemory>> FrameMemory::open(const MemoryOffer& offer,
                                                       std::uint64_t most) {
  if (offer.bytes < 2 * base::kSlotGrain || offer.bytes > most) {
    return Error{Code::limit, fmt::format("memory of {} bytes, expected {} to {}", offer.bytes,
                                          2 * base::kSlotGrain, most)};
  }
  const auto bytes = static_cast<std::size_t>(offer.bytes);
  base::MemoryHolder holder{.process = offer.process, .descriptor = offer.descriptor};
  auto memory = base::open_memory_of(holder, bytes);
  if (!memory) return memory.error();
  auto mapping = base::Mapping::map(memory->get(), bytes, base::Mapping::Access::read);
  if (!mapping) return mapping.error();
  // The id may be another process's here than where the controller runs.
  if (!std::equal(offer.token.begin(), offer.token.end(), mapping->data())) {
    return Error{Code::unavailable,
                 fmt::format("process {} is another one here: its memory does not begin with the "
                             "controller's token",
                             offer.process)};
  }
  return std::unique_ptr<FrameMemory>(new FrameMemory(holder, std::move(*mapping)));
}

Status FrameMemory::read(const ReadingPlace& place, std::span<float> out,
                         bool& finite) const noexcept {
  const std::uint64_t bytes = mapping_.size();
  const bool sound = place.size == out.size() && place.offset % base::kSlotGrain == 0 &&
                     place.offset >= base::kSlotGrain && place.offset < bytes &&
                     place.size <= bytes / sizeof(float) &&
                     base::slot_bytes(out.size()) <= bytes - place.offset && place.sequence != 0 &&
                     place.sequence % 2 == 0;
  if (!sound) return Code::bad_data;
  const auto copy = base::read_slot(mapping_.data() + place.offset, place.sequence, out);
  finite = copy.finite;
  return copy.whole ? Code::ok : Code::stale;
}

}  // namespace cambium::runtime
