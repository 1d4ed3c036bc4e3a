// core/runtime/chunk_player.hpp: plays the chunk of actions in hand, one row a tick.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace cambium::runtime {

/// Holds one chunk and a place in it. Rows belong to ticks: row r of a chunk made from the
/// observation of tick t is the action of tick t + r. So the delay of inference is counted in
/// consumed actions, never in wall clock: a chunk that arrives d ticks late starts at row d
/// (real-time chunking, arXiv 2506.07339 section 3, without its in-painting).
class ChunkPlayer {
 public:
  /// Rows of `dof` numbers, at most `horizon` of them. [setup]
  ChunkPlayer(std::uint32_t horizon, std::uint32_t dof)
      : horizon_(horizon), dof_(dof), rows_(std::size_t{horizon} * dof) {}

  /// Replaces the chunk by `rows` (horizon, dof), made from the observation of tick `made_at`.
  /// False if each of its rows belongs to a tick before `now`: it came too late and the old chunk
  /// stays. [loop, rt]
  bool load(std::span<const float> rows, std::uint64_t made_at, std::uint64_t now) noexcept {
    if (now - made_at >= horizon_) return false;
    std::copy(rows.begin(), rows.end(), rows_.begin());
    made_at_ = made_at;
    rows_held_ = horizon_;
    return true;
  }

  /// The row for tick `now`, or empty if the chunk has none. [loop, rt]
  std::span<const float> row(std::uint64_t now) const noexcept {
    if (now < made_at_ || now - made_at_ >= rows_held_) return {};
    return std::span(rows_).subspan(static_cast<std::size_t>(now - made_at_) * dof_, dof_);
  }

  /// Which row that is.
  std::uint32_t index(std::uint64_t now) const noexcept {
    return static_cast<std::uint32_t>(now - made_at_);
  }

  /// Forgets the chunk. [loop, rt]
  void clear() noexcept { rows_held_ = 0; }

  /// Rows of the chunk in hand, played or not; 0 without one.
  std::uint32_t rows() const noexcept { return rows_held_; }

  /// Goes on with the unexecuted rows of another generation's chunk, as many as fit. Nothing if the
  /// dof differ: it was another body. [loop, rt]
  void take_over(const ChunkPlayer& old) noexcept {
    if (old.dof_ != dof_ || old.rows() == 0) return;
    const auto kept = std::min(horizon_, old.rows());
    std::copy_n(old.rows_.begin(), std::size_t{kept} * dof_, rows_.begin());
    rows_held_ = kept;
    made_at_ = old.made_at_;
  }

 private:
  std::uint32_t horizon_, dof_;
  std::vector<float> rows_;
  std::uint64_t made_at_ = 0;
  std::uint32_t rows_held_ = 0;
};

}  // namespace cambium::runtime
