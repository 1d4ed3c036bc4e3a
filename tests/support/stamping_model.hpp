// tests/support/stamping_model.hpp: a trunk whose memory shows at once if a step is lost or a copy
// of it was torn.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "core/trunk/model.hpp"

namespace cambium::test {

/// All words of the memory are the same number, which every row of tokens changes, by its first
/// value, beyond recognition. That number, cut to what a float holds, is what every row becomes.
class StampingModel final : public trunk::TrunkModel {
 public:
  /// words: of 8 bytes, a multiple of 8.
  StampingModel(std::uint32_t width, std::size_t words) : words_(words) {
    info_.architecture = "stamping";
    info_.width = width;
    info_.blocks = 1;
    info_.heads = 1;
    info_.session_bytes = words * sizeof(std::uint64_t);
    info_.sinusoid = false;
  }
  const trunk::ModelInfo& info() const noexcept override { return info_; }
  void begin(std::byte* memory) const noexcept override {
    for (auto& word : words_of(memory)) word = 0;
  }
  Status forward(std::span<const trunk::Segment> segments, float* rows) noexcept override {
    for (const auto& segment : segments)
      for (std::uint32_t i = 0; i < segment.rows; ++i) {
        float* row = rows + std::size_t{segment.first_row + i} * info_.width;
        const float value = row[0];
        // The warm-up of a server brings no memory.
        std::uint64_t stamp = 0;
        if (segment.memory != nullptr)
          for (auto& word : words_of(segment.memory)) stamp = word = next(word, value);
        for (std::uint32_t k = 0; k < info_.width; ++k) row[k] = seen(stamp);
      }
    return {};
  }

  static std::uint64_t next(std::uint64_t stamp, float value) noexcept {
    return stamp * 6364136223846793005U + 1442695040888963407U +
           std::bit_cast<std::uint32_t>(value);
  }
  static float seen(std::uint64_t stamp) noexcept { return static_cast<float>(stamp >> 40); }

 private:
  std::span<std::uint64_t> words_of(std::byte* memory) const noexcept {
    return {reinterpret_cast<std::uint64_t*>(memory), words_};
  }
  std::size_t words_;
  trunk::ModelInfo info_;
};

}  // namespace cambium::test
