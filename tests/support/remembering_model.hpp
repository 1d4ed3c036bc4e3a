// tests/support/remembering_model.hpp: a trunk whose memory can be followed by hand: it remembers
// the sum of the rows that it has seen.
#pragma once

#include <cstring>

#include "core/trunk/model.hpp"

namespace cambium::test {

/// Every row becomes the sum of all rows that this robot has sent since its memory began, itself
/// included.
class RememberingModel final : public trunk::TrunkModel {
 public:
  explicit RememberingModel(std::uint32_t width) {
    info_.architecture = "remembering";
    info_.width = width;
    info_.blocks = 1;
    info_.heads = 1;
    info_.session_bytes = (width * sizeof(float) + 63) / 64 * 64;
    info_.sinusoid = false;
  }
  const trunk::ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override {
    std::memset(memory, 0, info_.session_bytes);
  }
  Status forward(std::span<const trunk::Segment> segments, float* rows) noexcept override {
    for (const auto& segment : segments) {
      auto* sum = reinterpret_cast<float*>(segment.memory);
      float* row = rows + std::size_t{segment.first_row} * info_.width;
      for (std::uint32_t i = 0; i < segment.rows * info_.width; ++i)
        row[i] = sum[i % info_.width] += row[i];
    }
    return {};
  }

 private:
  trunk::ModelInfo info_;
};

}  // namespace cambium::test
