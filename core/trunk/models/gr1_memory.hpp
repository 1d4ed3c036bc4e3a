// core/trunk/models/gr1_memory.hpp: what GR-1's trunk remembers of one robot, as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace cambium::trunk {

/// How much a window holds at most.
struct Gr1MemoryShape {
  std::uint32_t width = 0, blocks = 0;
  std::uint32_t steps = 0;        ///< time steps
  std::uint32_t step_tokens = 0;  ///< of one step, without queries

  std::size_t rows() const noexcept { return std::size_t{steps} * step_tokens; }
  std::size_t header_bytes() const noexcept {
    return (std::size_t{steps} + 2) * sizeof(std::uint32_t);
  }
  /// [B] tokens, and for each block a key and a value of each of them; whole cache lines.
  std::uint64_t bytes() const noexcept {
    const std::uint64_t floats = std::uint64_t{rows()} * width * (1 + 2 * std::uint64_t{blocks});
    return (header_bytes() + floats * sizeof(float) + 63) / 64 * 64;
  }
};

/// A window of time steps in the bytes that a session gave: for each step how many tokens it had,
/// the tokens as they were sent, oldest first, and their keys and values in each block, as far as
/// they were computed since they have their place. [loop, rt]
class Gr1Memory {
 public:
  Gr1Memory(const Gr1MemoryShape& shape, std::byte* bytes) noexcept
      : shape_(&shape),
        header_(reinterpret_cast<std::uint32_t*>(bytes)),
        tokens_(reinterpret_cast<float*>(bytes + shape.header_bytes())) {}

  std::uint32_t steps() const noexcept { return header_[0]; }
  std::uint32_t rows() const noexcept { return header_[1]; }
  bool full() const noexcept { return steps() == shape_->steps; }
  /// Tokens of each step.
  std::span<const std::uint32_t> counts() const noexcept { return {header_ + 2, steps()}; }
  /// Whether bytes from elsewhere can be those of a window: nothing is read outside of it then.
  bool sound() const noexcept {
    if (steps() > shape_->steps || rows() > shape_->rows()) return false;
    std::uint64_t rows_of_all = 0;
    for (const std::uint32_t count : counts()) {
      if (count == 0 || count > shape_->step_tokens) return false;
      rows_of_all += count;
    }
    return rows_of_all == rows();
  }

  const float* token(std::uint32_t row) const noexcept {
    return tokens_ + std::size_t{row} * shape_->width;
  }
  /// Key, then value of a row: (2 width); those of the next row follow.
  float* key(std::uint32_t block, std::uint32_t row) noexcept {
    const std::size_t before = shape_->rows() * (1 + 2 * std::size_t{block});
    return tokens_ + (before + 2 * std::size_t{row}) * shape_->width;
  }

  /// A step more; there must be room for it.
  void append(const float* tokens, std::uint32_t count) noexcept {
    std::memcpy(tokens_ + std::size_t{rows()} * shape_->width, tokens,
                std::size_t{count} * shape_->width * sizeof(float));
    header_[2 + header_[0]++] = count;
    header_[1] += count;
  }
  /// The oldest step leaves, the others move to the front. Keys and values stay: they are worth
  /// nothing any more.
  void drop_oldest() noexcept {
    const std::uint32_t gone = header_[2];
    header_[0] -= 1;
    header_[1] -= gone;
    std::memmove(header_ + 2, header_ + 3, steps() * sizeof(std::uint32_t));
    header_[2 + steps()] = 0;
    std::memmove(tokens_, tokens_ + std::size_t{gone} * shape_->width,
                 std::size_t{rows()} * shape_->width * sizeof(float));
  }

 private:
  const Gr1MemoryShape* shape_;
  std::uint32_t* header_;  // steps, rows, then the rows of each step
  float* tokens_;
};

}  // namespace cambium::trunk
