// Where a controller says that a reading lies in its memory, and what it writes there while the
// host reads. The input is a place, and behind it what lies in the memory.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/shared_slot.hpp"
#include "core/runtime/frame_memory.hpp"
#include "tests/fuzz/target.hpp"

namespace {

using namespace cambium;

constexpr float kUntouched = -77;

class Memory {
 public:
  Memory() {
    auto made = base::make_memory("fuzz");
    fuzz::promise(made.has_value() && base::seal_memory(made->get(), kBytes).has_value(),
                  "memory can be made");
    auto mapping = base::Mapping::map(made->get(), kBytes, base::Mapping::Access::write);
    fuzz::promise(mapping.has_value(), "memory can be mapped");
    runtime::MemoryOffer offer{.process = static_cast<std::uint32_t>(::getpid()),
                               .descriptor = static_cast<std::uint32_t>(made->get()),
                               .bytes = kBytes,
                               .token = {}};
    auto opened = runtime::FrameMemory::open(offer, kBytes);
    fuzz::promise(opened.has_value(), "memory can be opened");
    memory_ = std::move(*made);
    theirs_ = std::move(*mapping);
    ours_ = std::move(*opened);
  }

  void read(const runtime::ReadingPlace& place, std::size_t size,
            std::span<const std::byte> contents) {
    std::memset(theirs_.data() + base::kSlotGrain, 0, kBytes - base::kSlotGrain);
    const auto some = contents.first(std::min(contents.size(), kBytes - base::kSlotGrain));
    if (!some.empty()) std::memcpy(theirs_.data() + base::kSlotGrain, some.data(), some.size());
    std::ranges::fill(out_, kUntouched);
    const auto out = std::span(out_).first(size);
    bool finite = false;
    const Status status = ours_->read(place, out, finite);
    fuzz::promise(status.ok() || status.code() == Code::bad_data || status.code() == Code::stale,
                  "a place is good, bad or stale");
    fuzz::promise(
        std::ranges::all_of(std::span(out_).subspan(size), [](float x) { return x == kUntouched; }),
        "no more is copied than was asked for");
    if (!status.ok()) return;
    fuzz::promise(place.size == size && place.offset + base::slot_bytes(size) <= kBytes,
                  "a good place lies in the memory");
    fuzz::promise(std::memcmp(out.data(), theirs_.data() + place.offset + base::kSlotGrain,
                              out.size_bytes()) == 0,
                  "numbers arrive exact");
    fuzz::promise(finite == std::ranges::all_of(out, [](float x) { return std::isfinite(x); }),
                  "every number that is none is seen");
  }

 private:
  static constexpr std::size_t kBytes = 1024;

  base::Descriptor memory_;
  base::Mapping theirs_;
  std::unique_ptr<runtime::FrameMemory> ours_;
  std::vector<float> out_ = std::vector<float>(512);
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Memory memory;
  runtime::ReadingPlace place;
  if (size < sizeof place + 1) return 0;
  std::memcpy(&place, data, sizeof place);
  const std::size_t wanted = data[sizeof place];  // numbers that the sensor has
  memory.read(place, wanted, fuzz::bytes(data + sizeof place + 1, size - sizeof place - 1));
  return 0;
}
