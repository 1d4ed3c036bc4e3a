// core/formats/array.hpp: an array out of somebody's message: where its bytes lie and what they
// mean.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cambium/result.hpp"

namespace cambium::formats {

enum class Element : std::uint8_t {
  boolean,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  f16,
  f32,
  f64,
  text,
  bytes,
};

/// numpy's array, borrowed: `data` lives in the message. Made by readers only after they have held
/// the bytes against the shape: data.size() == count() * element_bytes.
struct ArrayView {
  static constexpr std::size_t kMaxRank = 8;

  Element element = Element::f64;
  std::uint32_t element_bytes = 8;  ///< of text: 4 times its longest; of bytes: their longest
  bool big_endian = false;
  bool column_major = false;  ///< the first index runs fastest
  std::uint32_t rank = 0;     ///< 0: a single number
  std::array<std::uint64_t, kMaxRank> shape{};
  std::span<const std::byte> data;

  std::uint64_t count() const noexcept {
    std::uint64_t n = 1;
    for (std::uint32_t i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
  /// "float32 (3, 224, 224)", for people. [any]
  std::string text() const;
};

/// Reads `descr`, numpy's name of an element type ("<f4", "|u1", ">i2", "<U5", "|S2"), into `to`.
/// bad_data for what holds pointers, has fields, or is a date, complex, void or long double.
/// [setup]
Result<void> read_descr(std::string_view descr, ArrayView& to);
/// Sets shape and data; bad_data unless the bytes are exactly those of the shape, counted without
/// overflow. [setup]
Result<void> set_data(ArrayView& array, std::span<const std::uint64_t> shape,
                      std::span<const std::byte> data);

/// The elements as floats in row-major order, whatever their type, byte order and layout; false if
/// sizes differ or they are text or bytes. [any]
bool to_floats(const ArrayView& array, std::span<float> to) noexcept;
/// Text number `index` of an array of texts, as UTF-8 without the zeros that fill it up; false if
/// there is none, or what is there is no Unicode. [any]
bool to_text(const ArrayView& array, std::uint64_t index, std::string& to);

/// A number as an array of rank 0; borrows it. [any]
ArrayView view_of(const double& number) noexcept;

}  // namespace cambium::formats
