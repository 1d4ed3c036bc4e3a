// core/formats/pickle_machine.hpp: Python's stack machine for pickles, with the opcodes that
// clients send and none that does anything.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/formats/pickle.hpp"
#include "core/formats/pickle_nodes.hpp"
#include "core/formats/pickle_opcodes.hpp"

namespace cambium::formats {

/// Reads one pickle front to back. Threads: one user.
/// Memory    Every push, reference and mark is counted against the limits, so that no message makes
/// it grow without bound.
class PickleMachine {
 public:
  PickleMachine(Bytes bytes, std::span<const PickleClass> classes, const Limits& limits)
      : bytes_(bytes), classes_(classes), limits_(limits), most_(4ULL * limits.values) {}

  /// The root, whose nodes are all of the pickle; bad_data says which opcode, where.
  Result<PickleIndex> run();
  const PickleNode& at(PickleIndex index) const noexcept { return nodes_[index]; }

 private:
  // pickle_machine.cpp: the stack.
  bool step(PickleOpcode opcode);
  bool enter_frame();
  bool take(std::size_t size, Bytes& to);
  template <class T>
  bool little(T& to);
  bool counted(std::uint64_t length, Bytes& to);
  bool text(std::uint64_t length);
  bool bytes(std::uint64_t length);
  bool make_long();
  bool make_float();

  bool push(PickleNode node);
  bool push_again(PickleIndex index);
  bool pop(PickleIndex& to);
  bool pop_to_mark(std::vector<PickleIndex>& to);
  bool make_tuple(std::size_t size);
  bool extend(PickleSequence::Kind kind, std::size_t multiple, std::span<const PickleIndex> items);
  bool recall(std::size_t place);
  bool fail(std::string_view what);

  template <class T>
  const T* is(PickleIndex index) const noexcept {
    return std::get_if<T>(&nodes_[index]);
  }
  const std::vector<PickleIndex>* is_tuple(PickleIndex index, std::size_t size) const noexcept;
  bool is_number(PickleIndex index, std::int64_t value) const noexcept;

  // pickle_objects.cpp: what names mean.
  bool look_up(std::string_view module, std::string_view name);
  bool make_instance();
  bool call();
  bool make_dtype(PickleIndex arguments);
  bool make_empty_array(PickleIndex arguments);
  bool make_array(PickleIndex arguments);
  bool make_scalar(PickleIndex arguments);
  bool set_state();
  bool set_dtype_state(PickleDType& dtype, PickleIndex state);
  bool set_array_state(PickleArray& array, PickleIndex state);
  bool read_shape(PickleIndex tuple, std::vector<std::uint64_t>& to);

  const Bytes bytes_;
  const std::span<const PickleClass> classes_;
  const Limits limits_;
  const std::uint64_t most_;  // pushes, and entries of the memo
  std::size_t at_ = 0, frame_end_ = 0;
  std::size_t opcode_at_ = 0;
  std::string_view opcode_;
  std::uint64_t pushes_ = 0;
  std::vector<PickleNode> nodes_;
  std::vector<PickleIndex> stack_, memo_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::string why_;
};

}  // namespace cambium::formats
