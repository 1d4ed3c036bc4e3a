// core/trunk/models/attention_window.hpp: which remembered tokens a token attends to when the first
// few and the newest are kept (attention sinks), and where they lie.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cambium::trunk {

/// How the cache of attention sinks makes room.
enum class Eviction : std::uint8_t {
  after,      ///< token by token: each attends to sinks, the newest `recent` before it, and itself
  for_space,  ///< token by token: each to sinks, the newest `recent - 1` before it, and itself
  for_chunk   ///< all tokens of a request at once: room for all of them is made before the first
};

struct AttentionWindow {
  std::uint32_t start = 4;      ///< sinks: the first tokens of all, kept for ever
  std::uint32_t recent = 2000;  ///< the newest others
  Eviction eviction = Eviction::for_space;

  /// Tokens of one piece: so many new ones are put into the ring before the first of them looks.
  static constexpr std::uint32_t kPiece = 16;

  /// Tokens that are seen at once when nothing more is to be evicted, beside the sinks and with the
  /// one that looks.
  std::uint64_t reach() const noexcept {
    return std::uint64_t{recent} + (eviction == Eviction::after ? 1 : 0);
  }

  // Slots of both, in whole blocks of 16: sinks lie first, others in a ring behind them.
  std::uint64_t sink_slots() const noexcept { return whole(start); }
  std::uint64_t ring_slots() const noexcept { return whole(reach() - 1 + kPiece); }
  std::uint64_t slots() const noexcept { return sink_slots() + ring_slots(); }
  std::uint64_t slot(std::uint64_t token) const noexcept {
    return token < start ? token : sink_slots() + (token - start) % ring_slots();
  }

  /// Tokens of a request of `rows` that `seen` others came before: how many of them are one chunk.
  /// A chunk has no more than `recent` when something has to be evicted for it.
  std::uint32_t chunk(std::uint64_t seen, std::uint32_t rows) const noexcept {
    if (eviction != Eviction::for_chunk || seen + rows <= std::uint64_t{start} + recent)
      return rows;
    return std::min(rows, recent);
  }

  /// The oldest token that `token` sees beside the sinks; `start` at least. It is one of a chunk of
  /// `rows` that `seen` others came before.
  std::uint64_t oldest(std::uint64_t token, std::uint64_t seen, std::uint32_t rows) const noexcept {
    const std::uint64_t newest = eviction == Eviction::for_chunk ? seen + rows - 1 : token;
    return std::max<std::uint64_t>(start, newest + 1 > reach() ? newest + 1 - reach() : 0);
  }

 private:
  static constexpr std::uint64_t whole(std::uint64_t count) noexcept {
    return (count + kPiece - 1) / kPiece * kPiece;
  }
};

}  // namespace cambium::trunk
