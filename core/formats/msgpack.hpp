// core/formats/msgpack.hpp: msgpack with arrays, as robot-policy clients write it. The only door to
// msgpack-cxx.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cambium/result.hpp"
#include "core/formats/value.hpp"

namespace cambium::formats {

/// How arrays are written. A message uses one; replies use the one of the request.
enum class ArrayDialect : std::uint8_t {
  none,           ///< the message had no array
  openpi,         ///< {b"__ndarray__": true, b"data", b"dtype", b"shape"}
  npy,            ///< {"__ndarray_class__": true, "as_npy": a whole .npy file}: GR00T N1.5, N1.6
  msgpack_numpy,  ///< {b"nd": true, b"type", b"kind", b"shape", b"data"}: GR00T N1.7
};

struct MsgpackMessage {
  Value root;
  ArrayDialect dialect = ArrayDialect::none;
};

/// Reads exactly one value; array maps of any dialect have become ArrayView, their scalars numbers.
/// bad_data, with the place in the bytes, for what is no msgpack, is longer or shorter than it
/// says, mixes dialects, forges an array, or passes the limits. Borrows `bytes`. [any]
Result<MsgpackMessage> read_msgpack(std::span<const std::byte> bytes, const Limits& limits = {});

/// Writes a message front to back; the caller counts the entries of maps and lists.
class MsgpackWriter {
 public:
  void map(std::uint32_t entries);
  void list(std::uint32_t entries);
  void nil();
  void boolean(bool value);
  void integer(std::int64_t value);
  void number(double value);
  void text(std::string_view value);
  void binary(std::span<const std::byte> value);
  /// float32, row-major. none is written as npy.
  void array(ArrayDialect dialect, std::span<const std::uint64_t> shape,
             std::span<const float> values);

  std::span<const std::byte> bytes() const noexcept;
  void clear() noexcept;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace cambium::formats
