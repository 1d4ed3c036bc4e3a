#include <bit>
#include <optional>
#include <utility>

#include "core/formats/pickle_machine.hpp"
#include "core/formats/text.hpp"

namespace cambium::formats {
namespace {

struct Allowed {
  std::string_view module, name;
  PickleMeaning meaning;
};
// Of numpy 1 (core) and 2 (_core). Whole strings: protocol 4 would follow dots within a name.
constexpr Allowed kNumpy[] = {
    {"numpy", "ndarray", PickleMeaning::array},
    {"numpy", "dtype", PickleMeaning::dtype},
    {"numpy.core.multiarray", "_reconstruct", PickleMeaning::reconstruct},
    {"numpy._core.multiarray", "_reconstruct", PickleMeaning::reconstruct},
    {"numpy.core.multiarray", "scalar", PickleMeaning::scalar},
    {"numpy._core.multiarray", "scalar", PickleMeaning::scalar},
    {"numpy.core.numeric", "_frombuffer", PickleMeaning::frombuffer},
    {"numpy._core.numeric", "_frombuffer", PickleMeaning::frombuffer},
};

constexpr std::int64_t kArrayState = 1, kDTypeState = 3;  // versions that numpy writes

// A number out of numpy's bytes, as a number of Python.
std::optional<PickleNode> number_of(const ArrayView& view) {
  std::uint64_t raw = 0;
  for (std::uint32_t i = 0; i < view.element_bytes; ++i) {
    const std::size_t from = view.big_endian ? i : view.element_bytes - 1 - i;
    raw = raw << 8 | std::to_integer<unsigned>(view.data[from]);
  }
  const std::uint32_t unused = 64 - 8 * view.element_bytes;
  switch (view.element) {
    case Element::boolean:
      if (raw > 1) return std::nullopt;
      return raw == 1;
    case Element::i8:
    case Element::i16:
    case Element::i32:
    case Element::i64:
      return static_cast<std::int64_t>(raw << unused) >> unused;
    case Element::u8:
    case Element::u16:
    case Element::u32:
      return static_cast<std::int64_t>(raw);
    case Element::u64:
      return raw;
    case Element::f16:
    case Element::f32:
    case Element::f64:
    case Element::text:
    case Element::bytes:
      break;
  }
  if (view.element == Element::f64) return std::bit_cast<double>(raw);
  float value = 0;
  if (!to_floats(view, {&value, 1})) return std::nullopt;
  return static_cast<double>(value);
}

}  // namespace

bool PickleMachine::look_up(std::string_view module, std::string_view name) {
  for (const auto& allowed : kNumpy)
    if (allowed.module == module && allowed.name == name)
      return push(PickleName{allowed.meaning, 0});
  for (std::size_t i = 0; i < classes_.size(); ++i)
    if (classes_[i].module == module && classes_[i].name == name)
      return push(PickleName{PickleMeaning::instance, static_cast<std::uint32_t>(i)});
  return fail("names " + shown(module) + " " + shown(name) + ", which is not allowed");
}

bool PickleMachine::make_instance() {
  PickleIndex arguments = 0, of = 0;
  if (!pop(arguments) || !pop(of)) return false;
  const auto* name = is<PickleName>(of);
  if (!name || name->meaning != PickleMeaning::instance)
    return fail("wants a class of the protocol");
  if (!is_tuple(arguments, 0)) return fail("wants no arguments");
  return push(PickleInstance{name->instance_of, 0, false});
}

bool PickleMachine::call() {
  PickleIndex arguments = 0, callee = 0;
  if (!pop(arguments) || !pop(callee)) return false;
  const auto* name = is<PickleName>(callee);
  if (!name) return fail("calls what is no name");
  switch (name->meaning) {
    case PickleMeaning::dtype:
      return make_dtype(arguments);
    case PickleMeaning::reconstruct:
      return make_empty_array(arguments);
    case PickleMeaning::frombuffer:
      return make_array(arguments);
    case PickleMeaning::scalar:
      return make_scalar(arguments);
    case PickleMeaning::array:
    case PickleMeaning::instance:
      break;
  }
  return fail("calls what no client calls");
}

// dtype("u1", False, True): neither aligned nor shared.
bool PickleMachine::make_dtype(PickleIndex arguments) {
  const auto* given = is_tuple(arguments, 3);
  const auto* name = given ? is<std::string_view>((*given)[0]) : nullptr;
  const auto* align = given ? is<bool>((*given)[1]) : nullptr;
  const auto* copy = given ? is<bool>((*given)[2]) : nullptr;
  if (!name || !align || *align || !copy || !*copy) return fail("makes no plain dtype");
  // The byte order follows with BUILD; until then numpy's name has none.
  if (name->size() != 2) return fail("makes a dtype that is no number");
  const char descr[] = {(*name)[1] == '1' ? '|' : '<', (*name)[0], (*name)[1]};
  PickleDType made;
  if (!read_descr({descr, 3}, made.like) || made.like.element == Element::text ||
      made.like.element == Element::bytes)
    return fail("makes a dtype that is no number");
  return push(std::move(made));
}

// _reconstruct(ndarray, (0,), b"b"): an array whose BUILD is still to come.
bool PickleMachine::make_empty_array(PickleIndex arguments) {
  const auto* given = is_tuple(arguments, 3);
  if (!given) return fail("makes no plain array");
  const auto* type = is<PickleName>((*given)[0]);
  const auto* shape = is_tuple((*given)[1], 1);
  const auto* kind = is<Bytes>((*given)[2]);
  if (!type || type->meaning != PickleMeaning::array || !shape || !is_number((*shape)[0], 0) ||
      !kind || kind->size() != 1 || kind->front() != std::byte{'b'})
    return fail("makes no plain array");
  return push(PickleArray{});
}

// _frombuffer(bytes, dtype, shape, "C" or "F").
bool PickleMachine::make_array(PickleIndex arguments) {
  const auto* given = is_tuple(arguments, 4);
  if (!given) return fail("makes an array in an order that is not known");
  const auto* data = is<Bytes>((*given)[0]);
  const auto* dtype = is<PickleDType>((*given)[1]);
  const auto* order = is<std::string_view>((*given)[3]);
  std::vector<std::uint64_t> shape;
  if (!data || !dtype || !dtype->built || !order || (*order != "C" && *order != "F"))
    return fail("makes no plain array");
  if (!read_shape((*given)[2], shape)) return fail("gives an array no shape");
  PickleArray made{dtype->like, true};
  made.view.column_major = *order == "F";
  if (const auto set = set_data(made.view, shape, *data); !set)
    return fail("makes an array of another size than its bytes");
  return push(std::move(made));
}

// scalar(dtype, bytes)
bool PickleMachine::make_scalar(PickleIndex arguments) {
  const auto* given = is_tuple(arguments, 2);
  const auto* dtype = given ? is<PickleDType>((*given)[0]) : nullptr;
  const auto* data = given ? is<Bytes>((*given)[1]) : nullptr;
  if (!dtype || !dtype->built || !data) return fail("makes no plain number");
  ArrayView view = dtype->like;
  if (!set_data(view, {}, *data)) return fail("makes a number of another size than its bytes");
  auto number = number_of(view);
  if (!number) return fail("makes a truth that is neither true nor false");
  return push(*std::move(number));
}

bool PickleMachine::set_state() {
  PickleIndex state = 0, of = 0;
  if (!pop(state) || !pop(of)) return false;
  stack_.push_back(of);
  PickleNode& node = nodes_[of];
  if (auto* dtype = std::get_if<PickleDType>(&node)) return set_dtype_state(*dtype, state);
  if (auto* array = std::get_if<PickleArray>(&node)) return set_array_state(*array, state);
  auto* instance = std::get_if<PickleInstance>(&node);
  if (!instance) return fail("is for what has no state");
  const auto* fields = is<PickleSequence>(state);
  if (instance->built || !fields || fields->kind != PickleSequence::Kind::dict)
    return fail("is no dictionary, or the second one");
  instance->state = state;
  instance->built = true;
  return true;
}

// (3, "<" or ">" or "|", None, None, None, -1, -1, 0): no fields, no metadata.
bool PickleMachine::set_dtype_state(PickleDType& dtype, PickleIndex state) {
  const auto* given = is_tuple(state, 8);
  if (dtype.built || !given || !is_number((*given)[0], kDTypeState))
    return fail("is no state of a plain dtype");
  const auto* order = is<std::string_view>((*given)[1]);
  const bool bytes = dtype.like.element_bytes == 1;
  if (!order || (bytes ? *order != "|" : *order != "<" && *order != ">"))
    return fail("gives a dtype no byte order");
  for (std::size_t i = 2; i < 5; ++i)
    if (!is<std::monostate>((*given)[i])) return fail("gives a dtype fields");
  if (!is_number((*given)[5], -1) || !is_number((*given)[6], -1) || !is_number((*given)[7], 0))
    return fail("gives a dtype a size of its own");
  dtype.like.big_endian = *order == ">";
  dtype.built = true;
  return true;
}

// (1, shape, dtype, is_fortran, bytes)
bool PickleMachine::set_array_state(PickleArray& array, PickleIndex state) {
  const auto* given = is_tuple(state, 5);
  if (array.built || !given || !is_number((*given)[0], kArrayState))
    return fail("is no state of a plain array");
  const auto* dtype = is<PickleDType>((*given)[2]);
  const auto* fortran = is<bool>((*given)[3]);
  const auto* data = is<Bytes>((*given)[4]);
  if (!dtype || !dtype->built || !fortran || !data) return fail("is no state of a plain array");
  std::vector<std::uint64_t> shape;
  if (!read_shape((*given)[1], shape)) return fail("gives an array no shape");
  array.view = dtype->like;
  array.view.column_major = *fortran;
  if (const auto set = set_data(array.view, shape, *data); !set)
    return fail("gives an array another size than its bytes");
  array.built = true;
  return true;
}

bool PickleMachine::read_shape(PickleIndex tuple, std::vector<std::uint64_t>& to) {
  const auto* sequence = is<PickleSequence>(tuple);
  if (!sequence || sequence->kind != PickleSequence::Kind::tuple ||
      sequence->items.size() > ArrayView::kMaxRank)
    return false;
  for (const PickleIndex item : sequence->items) {
    const auto* length = is<std::int64_t>(item);
    if (!length || *length < 0) return false;
    to.push_back(static_cast<std::uint64_t>(*length));
  }
  return true;
}

}  // namespace cambium::formats
