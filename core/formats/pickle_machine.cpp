#include "core/formats/pickle_machine.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/formats/text.hpp"

namespace cambium::formats {
namespace {

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::size_t kFrameLeast = 4;  // Python frames nothing smaller (pickle._Framer)

}  // namespace

Result<PickleIndex> PickleMachine::run() {
  if (bytes_.size() < 2 || static_cast<PickleOpcode>(bytes_[0]) != PickleOpcode::proto ||
      (bytes_[1] != std::byte{4} && bytes_[1] != std::byte{5}))
    return Error{Code::bad_data, "no pickle of protocol 4 or 5"};
  at_ = 2;
  while (true) {
    if (at_ == frame_end_) frame_end_ = 0;
    opcode_at_ = at_;
    opcode_ = "the end";
    Bytes next;
    if (!take(1, next)) break;
    const auto opcode = static_cast<PickleOpcode>(next[0]);
    opcode_ = name_of(opcode);
    if (opcode == PickleOpcode::stop) {
      if (stack_.size() != 1 || !marks_.empty())
        fail("comes while values are open");
      else if (at_ != bytes_.size() || (frame_end_ != 0 && at_ != frame_end_))
        fail("comes before the end of the message");
      else
        return stack_.back();
      break;
    }
    if (!step(opcode)) break;
  }
  return Error{Code::bad_data, why_};
}

bool PickleMachine::step(PickleOpcode opcode) {
  using enum PickleOpcode;
  switch (opcode) {
    case mark:
      if (marks_.size() > 2ULL * limits_.depth) return fail("is nested too deeply");
      marks_.push_back(stack_.size());
      return true;
    case none:
      return push(std::monostate{});
    case newtrue:
    case newfalse:
      return push(opcode == newtrue);
    case binint: {
      std::int32_t value = 0;
      return little(value) && push(std::int64_t{value});
    }
    case binint1: {
      std::uint8_t value = 0;
      return little(value) && push(std::int64_t{value});
    }
    case binint2: {
      std::uint16_t value = 0;
      return little(value) && push(std::int64_t{value});
    }
    case long1:
      return make_long();
    case binfloat:
      return make_float();
    case short_binunicode:
    case short_binbytes: {
      std::uint8_t length = 0;
      return little(length) && (opcode == short_binunicode ? text(length) : bytes(length));
    }
    case binunicode:
    case binbytes: {
      std::uint32_t length = 0;
      return little(length) && (opcode == binunicode ? text(length) : bytes(length));
    }
    case bytearray8: {
      std::uint64_t length = 0;
      return little(length) && bytes(length);
    }
    case empty_dict:
      return push(PickleSequence{PickleSequence::Kind::dict, {}});
    case empty_list:
      return push(PickleSequence{PickleSequence::Kind::list, {}});
    case empty_tuple:
      return push(PickleSequence{PickleSequence::Kind::tuple, {}});
    case tuple: {
      PickleSequence made{PickleSequence::Kind::tuple, {}};
      return pop_to_mark(made.items) && push(std::move(made));
    }
    case tuple1:
    case tuple2:
    case tuple3:
      return make_tuple(opcode == tuple1 ? 1 : opcode == tuple2 ? 2 : 3);
    case append: {
      PickleIndex item = 0;
      return pop(item) && extend(PickleSequence::Kind::list, 1, {&item, 1});
    }
    case setitem: {
      PickleIndex item[2];
      return pop(item[1]) && pop(item[0]) && extend(PickleSequence::Kind::dict, 2, item);
    }
    case appends:
    case setitems: {
      std::vector<PickleIndex> items;
      const bool list = opcode == appends;
      return pop_to_mark(items) &&
             extend(list ? PickleSequence::Kind::list : PickleSequence::Kind::dict, list ? 1 : 2,
                    items);
    }
    case memoize:
      if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) return fail("finds nothing");
      if (memo_.size() >= most_) return fail("is one more than the limit allows");
      memo_.push_back(stack_.back());
      return true;
    case binget: {
      std::uint8_t place = 0;
      return little(place) && recall(place);
    }
    case long_binget: {
      std::uint32_t place = 0;
      return little(place) && recall(place);
    }
    case stack_global: {
      PickleIndex module = 0, name = 0;
      if (!pop(name) || !pop(module)) return false;
      const auto* in = is<std::string_view>(module);
      const auto* called = is<std::string_view>(name);
      if (!in || !called) return fail("wants two texts");
      return look_up(*in, *called);
    }
    case newobj:
      return make_instance();
    case reduce:
      return call();
    case build:
      return set_state();
    case frame:
      return enter_frame();
    default:
      return fail("is not used by robots' clients");
  }
}

bool PickleMachine::enter_frame() {
  std::uint64_t length = 0;
  if (frame_end_ != 0) return fail("lies in another");
  if (!little(length)) return false;
  if (length < kFrameLeast || length > bytes_.size() - at_) return fail("has no such length");
  frame_end_ = at_ + static_cast<std::size_t>(length);
  return true;
}

// ---- bytes of the message ----

bool PickleMachine::take(std::size_t size, Bytes& to) {
  const std::size_t end = frame_end_ != 0 ? frame_end_ : bytes_.size();
  if (size > end - at_) return fail("is cut short");
  to = bytes_.subspan(at_, size);
  at_ += size;
  return true;
}

template <class T>
bool PickleMachine::little(T& to) {
  Bytes raw;
  if (!take(sizeof(T), raw)) return false;
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = value << 8 | std::to_integer<unsigned>(raw[i]);
  to = static_cast<T>(value);
  return true;
}

bool PickleMachine::counted(std::uint64_t length, Bytes& to) {
  if (length > bytes_.size()) return fail("is cut short");
  return take(static_cast<std::size_t>(length), to);
}

bool PickleMachine::text(std::uint64_t length) {
  Bytes raw;
  if (!counted(length, raw)) return false;
  if (!is_utf8(as_text(raw))) return fail("is no UTF-8");
  return push(as_text(raw));
}

bool PickleMachine::bytes(std::uint64_t length) {
  Bytes raw;
  return counted(length, raw) && push(raw);
}

bool PickleMachine::make_long() {
  std::uint8_t length = 0;
  Bytes raw;
  if (!little(length) || !take(length, raw)) return false;
  if (length == 0 || length > 9) return fail("has no size of 64 bits");
  const bool negative = (raw.back() & std::byte{0x80}) != std::byte{0};
  std::uint64_t value = negative ? UINT64_MAX : 0;
  const std::size_t low = std::min<std::size_t>(length, 8);
  for (std::size_t i = low; i-- > 0;) value = value << 8 | std::to_integer<unsigned>(raw[i]);
  if (length == 9) {  // 64 bits without a sign
    if (raw[8] != std::byte{0}) return fail("has no size of 64 bits");
    return push(value);
  }
  return push(static_cast<std::int64_t>(value));
}

bool PickleMachine::make_float() {
  Bytes raw;
  if (!take(8, raw)) return false;
  std::uint64_t value = 0;
  for (const std::byte b : raw) value = value << 8 | std::to_integer<unsigned>(b);
  return push(std::bit_cast<double>(value));
}

// ---- the stack ----

bool PickleMachine::push(PickleNode node) {
  if (pushes_ >= most_) return fail("is one more than the limit allows");
  nodes_.push_back(std::move(node));
  return push_again(static_cast<PickleIndex>(nodes_.size() - 1));
}

bool PickleMachine::push_again(PickleIndex index) {
  if (++pushes_ > most_) return fail("is one more than the limit allows");
  stack_.push_back(index);
  return true;
}

bool PickleMachine::pop(PickleIndex& to) {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) return fail("finds nothing");
  to = stack_.back();
  stack_.pop_back();
  return true;
}

bool PickleMachine::pop_to_mark(std::vector<PickleIndex>& to) {
  if (marks_.empty()) return fail("finds no MARK");
  const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  to.assign(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return true;
}

bool PickleMachine::make_tuple(std::size_t size) {
  PickleSequence made{PickleSequence::Kind::tuple, std::vector<PickleIndex>(size)};
  for (std::size_t i = size; i-- > 0;)
    if (!pop(made.items[i])) return false;
  return push(std::move(made));
}

bool PickleMachine::extend(PickleSequence::Kind kind, std::size_t multiple,
                           std::span<const PickleIndex> items) {
  PickleIndex to = 0;
  if (!pop(to)) return false;
  auto* sequence = std::get_if<PickleSequence>(&nodes_[to]);
  if (!sequence || sequence->kind != kind)
    return fail(multiple == 1 ? "finds no list" : "finds no dictionary");
  if (items.size() % multiple != 0) return fail("finds a key without a value");
  sequence->items.insert(sequence->items.end(), items.begin(), items.end());
  stack_.push_back(to);
  return true;
}

bool PickleMachine::recall(std::size_t place) {
  if (place >= memo_.size()) return fail("refers to nothing");
  return push_again(memo_[place]);
}

bool PickleMachine::fail(std::string_view what) {
  if (why_.empty())
    why_ = "pickle, byte " + std::to_string(opcode_at_) + ": " +
           (opcode_.empty() ? std::string("this opcode") : std::string(opcode_)) + " " +
           std::string(what);
  return false;
}

const std::vector<PickleIndex>* PickleMachine::is_tuple(PickleIndex index,
                                                        std::size_t size) const noexcept {
  const auto* sequence = is<PickleSequence>(index);
  if (!sequence || sequence->kind != PickleSequence::Kind::tuple || sequence->items.size() != size)
    return nullptr;
  return &sequence->items;
}

bool PickleMachine::is_number(PickleIndex index, std::int64_t value) const noexcept {
  const auto* number = is<std::int64_t>(index);
  return number && *number == value;
}

}  // namespace cambium::formats
