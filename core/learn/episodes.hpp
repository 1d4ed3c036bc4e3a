// core/learn/episodes.hpp: what a robot's controller showed, tick by tick, becomes demonstrations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/learn/demonstrations.hpp"
#include "core/plugin/embodiment.hpp"

namespace cambium::learn {

/// Rows come in the order of time; which of them belong together is known only by the next one, or
/// by close(). What a row teaches is the labels of the next `horizon` ticks of its episode; near
/// its end the last one is repeated. An episode with fewer rows than that teaches little but the
/// repetition, and is left out.
class Episodes {
 public:
  /// sensors: indices into those of the body, as a row has them. [setup]
  Episodes(const plugin::Embodiment& body, std::span<const std::uint32_t> sensors,
           std::uint32_t horizon);

  /// Numbers in a row: readings, then the label of its tick (dof), all SI.
  std::size_t row_size() const noexcept { return row_size_; }

  /// row (row_size); begins: it is the first of an episode. [setup]
  void add(std::span<const float> row, bool begins);
  /// No row of the last episode will come any more. [setup]
  void close();

  /// That are over, and long enough.
  std::uint64_t whole() const noexcept { return first_rows_.size(); }
  /// Of these episodes together.
  std::uint64_t rows() const noexcept { return rows_.size() / row_size_ - open_rows_; }
  std::uint64_t too_short() const noexcept { return too_short_; }

  /// The first `most` of the whole ones; there has to be one. [setup]
  Demonstrations finish(std::uint64_t most) const;

 private:
  const plugin::Embodiment body_;
  const std::vector<std::uint32_t> sensors_;
  const std::uint32_t horizon_;
  std::size_t row_size_ = 0;
  std::vector<float> rows_;                // of whole episodes, then those of the last one
  std::vector<std::uint64_t> first_rows_;  // of the whole ones
  std::uint64_t open_rows_ = 0;            // of the last one
  std::uint64_t too_short_ = 0;
};

}  // namespace cambium::learn
