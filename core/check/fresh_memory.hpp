// core/check/fresh_memory.hpp: what a trunk remembers of a robot of which nothing is known yet.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "core/trunk/model.hpp"

namespace cambium::check {

/// One robot's memory, beside whatever a running trunk has of any robot. Borrows the model.
class FreshMemory {
 public:
  explicit FreshMemory(const trunk::TrunkModel& model) : model_(model) {
    if (const auto size = model.info().session_bytes; size != 0)
      bytes_.reset(static_cast<std::byte*>(::operator new(size, kAlignment)));
  }

  /// Empty again; null of a trunk that remembers nothing.
  std::byte* begin() noexcept {
    if (bytes_) model_.begin(bytes_.get());
    return bytes_.get();
  }

 private:
  static constexpr std::align_val_t kAlignment{64};  // as trunk::Segment wants it
  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, kAlignment); }
  };

  const trunk::TrunkModel& model_;
  std::unique_ptr<std::byte, Free> bytes_;
};

}  // namespace cambium::check
