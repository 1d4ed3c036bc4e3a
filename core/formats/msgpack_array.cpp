#include "core/formats/msgpack_array.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <optional>

#include "core/formats/npy.hpp"
#include "core/formats/text.hpp"

namespace cambium::formats {
namespace {

Error forged(const std::string& why) {
  return {Code::bad_data, why};
}

bool is_key(const Value& key, std::string_view name, bool bytes) {
  if (const auto* text = key.as<std::string_view>()) return !bytes && *text == name;
  const auto* binary = key.as<Bytes>();
  return bytes && binary && binary->size() == name.size() &&
         std::memcmp(binary->data(), name.data(), name.size()) == 0;
}

/// The values of an array's map, by name.
struct Fields {
  const Map& map;
  bool bytes;  ///< its keys are bytes, not text

  const Value* find(std::string_view name) const {
    for (const auto& [key, value] : map)
      if (is_key(key, name, bytes)) return &value;
    return nullptr;
  }
  /// An array's map has these keys and no others; those with a '?' may be missing.
  Result<void> exactly(std::initializer_list<std::string_view> names) const {
    std::size_t there = 0;
    std::string all;
    for (std::string_view name : names) {
      const bool optional = name.ends_with('?');
      if (optional) name.remove_suffix(1);
      all += (all.empty() ? "" : ", ") + std::string(name);
      if (find(name))
        ++there;
      else if (!optional)
        return forged("array without '" + std::string(name) + "'");
    }
    if (there != map.size()) return forged("array with keys besides " + all);
    return {};
  }
  Result<Bytes> binary(std::string_view name) const {
    if (const auto* value = find(name)->as<Bytes>()) return *value;
    return forged("array whose '" + std::string(name) + "' are no bytes");
  }
  /// Numpy's name of a type; of records it is a list.
  Result<void> type(std::string_view name, ArrayView& to) const {
    if (const auto* value = find(name)->as<std::string_view>()) return read_descr(*value, to);
    return forged("array whose '" + std::string(name) +
                  "' is no text (records of several fields are refused)");
  }
  Result<void> truth(std::string_view name, bool expected) const {
    const auto* value = find(name)->as<bool>();
    if (value && *value == expected) return {};
    return forged("array whose '" + std::string(name) + "' is not " +
                  (expected ? "true" : "true or false"));
  }
};

/// Shape and data into an array whose type is known.
Result<void> fill(const Fields& fields, ArrayView& array) {
  const auto* list = fields.find("shape")->as<List>();
  if (!list) return forged("array whose 'shape' is no list");
  if (list->size() > ArrayView::kMaxRank)
    return forged("array of " + std::to_string(list->size()) + " dimensions; at most " +
                  std::to_string(ArrayView::kMaxRank));
  std::array<std::uint64_t, ArrayView::kMaxRank> shape{};
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto* size = (*list)[i].as<std::int64_t>();
    if (!size || *size < 0)
      return forged("array whose 'shape' has something that is no size, at place " +
                    std::to_string(i));
    shape[i] = static_cast<std::uint64_t>(*size);
  }
  const auto data = fields.binary("data");
  if (!data) return data.error();
  return set_data(array, std::span(shape).first(list->size()), *data);
}

Result<Value> openpi_array(const Fields& fields) {
  ArrayView array;
  if (auto done = fields.exactly({"__ndarray__", "data", "dtype", "shape"}); !done)
    return done.error();
  if (auto done = fields.truth("__ndarray__", true); !done) return done.error();
  if (auto done = fields.type("dtype", array); !done) return done.error();
  if (auto done = fill(fields, array); !done) return done.error();
  return Value{array};
}

/// Its data is a number already, which says of itself what it is.
Result<Value> openpi_scalar(const Fields& fields) {
  ArrayView type;
  if (auto done = fields.exactly({"__npgeneric__", "data", "dtype"}); !done) return done.error();
  if (auto done = fields.truth("__npgeneric__", true); !done) return done.error();
  if (auto done = fields.type("dtype", type); !done) return done.error();
  const Value& data = *fields.find("data");
  double number = 0;
  const bool fits = type.element == Element::text    ? data.as<std::string_view>() != nullptr
                    : type.element == Element::bytes ? data.as<Bytes>() != nullptr
                                                     : data.number(number);
  if (!fits) return forged("numpy scalar whose 'data' is not of its 'dtype'");
  return Value{data};
}

Result<Value> npy_array(const Fields& fields) {
  if (auto done = fields.exactly({"__ndarray_class__", "as_npy"}); !done) return done.error();
  if (auto done = fields.truth("__ndarray_class__", true); !done) return done.error();
  const auto file = fields.binary("as_npy");
  if (!file) return file.error();
  auto array = read_npy(*file);
  if (!array) return array.error();
  return Value{*array};
}

/// The one element of an array as a plain value; of texts and bytes it stays an array.
Value scalar_of(const ArrayView& array) {
  const bool turn = array.big_endian != (std::endian::native == std::endian::big);
  std::uint64_t bits = 0;
  const std::size_t n = array.data.size();
  for (std::size_t i = 0; i < n && n <= sizeof bits; ++i) {
    const bool last_first = turn == (std::endian::native == std::endian::big);
    bits = bits << 8 | std::to_integer<std::uint64_t>(array.data[last_first ? n - 1 - i : i]);
  }
  switch (array.element) {
    case Element::boolean:
      return Value{bits != 0};
    case Element::i8:
      return Value{std::int64_t{static_cast<std::int8_t>(bits)}};
    case Element::i16:
      return Value{std::int64_t{static_cast<std::int16_t>(bits)}};
    case Element::i32:
      return Value{std::int64_t{static_cast<std::int32_t>(bits)}};
    case Element::i64:
      return Value{static_cast<std::int64_t>(bits)};
    case Element::u8:
    case Element::u16:
    case Element::u32:
      return Value{static_cast<std::int64_t>(bits)};
    case Element::u64:
      if (bits > INT64_MAX) return Value{bits};
      return Value{static_cast<std::int64_t>(bits)};
    case Element::f16: {
      float value = 0;
      (void)to_floats(array, std::span(&value, 1));
      return Value{double{value}};
    }
    case Element::f32:
      return Value{double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))}};
    case Element::f64:
      return Value{std::bit_cast<double>(bits)};
    case Element::text:
    case Element::bytes:
      break;
  }
  return Value{array};
}

Result<Value> msgpack_numpy(const Fields& fields) {
  const auto* whole = fields.find("nd")->as<bool>();
  if (!whole) return forged("array whose 'nd' is not true or false");
  ArrayView array;
  if (!*whole) {
    if (auto done = fields.exactly({"nd", "type", "data"}); !done) return done.error();
    if (auto done = fields.type("type", array); !done) return done.error();
    const auto data = fields.binary("data");
    if (!data) return data.error();
    if (auto done = set_data(array, {}, *data); !done) return done.error();
    return scalar_of(array);
  }
  if (auto done = fields.exactly({"nd", "type", "kind?", "shape", "data"}); !done)
    return done.error();
  if (const Value* kind = fields.find("kind")) {  // 'O' and 'V' of pickled objects and records
    const auto* bytes = kind->as<Bytes>();
    const auto* text = kind->as<std::string_view>();
    if (!(bytes && bytes->empty()) && !(text && text->empty()))
      return forged("array whose 'kind' is not empty: objects and records are refused");
  }
  if (auto done = fields.type("type", array); !done) return done.error();
  if (auto done = fill(fields, array); !done) return done.error();
  return Value{array};
}

}  // namespace

Result<Value> resolve_map(Map&& map, ArrayDialect& dialect) {
  const Fields binary{map, true}, text{map, false};
  dialect = ArrayDialect::none;
  if (binary.find("__ndarray__")) return dialect = ArrayDialect::openpi, openpi_array(binary);
  if (binary.find("__npgeneric__")) return dialect = ArrayDialect::openpi, openpi_scalar(binary);
  if (binary.find("nd")) return dialect = ArrayDialect::msgpack_numpy, msgpack_numpy(binary);
  if (text.find("__ndarray_class__")) return dialect = ArrayDialect::npy, npy_array(text);
  if (text.find("__ndarray__") || text.find("__npgeneric__") ||
      (text.find("nd") && text.find("type")))
    return forged("array whose keys are texts; the protocol's own clients write them as bytes");
  return Value{std::move(map)};
}

}  // namespace cambium::formats
