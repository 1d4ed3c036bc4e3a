// cambium/state.hpp: what a stem or head remembers between two calls, as bytes that the next
// generation goes on from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cambium/status.hpp"

namespace cambium {

/// Most bytes that save() or convert() may write: the host has this much ready before a swap.
inline constexpr std::uint32_t kMaxStateBytes = 64 * 1024;

/// An ability of a stem or head that carries something from one call to the next: filters, random
/// generators, counters. One that has none exports none. When a robot is swapped, the host saves
/// the old object and loads the new one between two ticks; bytes of another version pass through
/// the new one's convert() first. Refused bytes cost what was remembered, not the swap.
///
/// Threads    As for the Stem or Head that it belongs to: never entered beside it.
/// Memory     Views are borrowed for the call; the bytes are the host's, and no address of this
///            process may be among them: they may outlive it.
/// Real time  No call allocates, locks, logs, waits or throws.
class State {
 public:
  /// Number of the layout that save() writes; another layout has another number. [any]
  virtual std::uint32_t version() const noexcept = 0;

  /// out   room for the bytes
  /// size  bytes written; at `limit` (out is too small) the bytes needed
  /// The same state gives the same bytes, and nothing about the object changes.
  /// [loop & active, rt]
  virtual Status save(std::span<std::byte> out, std::uint32_t& size) noexcept = 0;

  /// bytes  as written by save() of this version(), or by convert()
  /// Goes on from there. Everything else, empty and random bytes too, is `bad_data`: then nothing
  /// has changed, and `why` says what was found. [loop & active, rt]
  virtual Status load(std::span<const std::byte> bytes, Message& why) noexcept = 0;

  /// from   version of `bytes`, never version()
  /// out, size   as for save(), of version()
  /// Rewrites older bytes, and changes nothing about the object. `incompatible` if it knows no such
  /// version, `bad_data` as load(); `why` says so. [loop & active, rt]
  virtual Status convert(std::uint32_t from, std::span<const std::byte> bytes,
                         std::span<std::byte> out, std::uint32_t& size, Message& why) noexcept = 0;

 protected:
  ~State() = default;  // it is a part of the stem or head, and goes with it
};

}  // namespace cambium
