// core/formats/pickle_opcodes.hpp: the opcodes of pickles that clients send; Python's names and
// numbers (Lib/pickletools.py).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace cambium::formats {

enum class PickleOpcode : std::uint8_t {
  mark = '(',
  stop = '.',
  none = 'N',
  newtrue = 0x88,
  newfalse = 0x89,
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  long1 = 0x8a,
  binfloat = 'G',
  short_binunicode = 0x8c,
  binunicode = 'X',
  short_binbytes = 'C',
  binbytes = 'B',
  bytearray8 = 0x96,
  empty_dict = '}',
  empty_list = ']',
  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  append = 'a',
  appends = 'e',
  setitem = 's',
  setitems = 'u',
  memoize = 0x94,
  binget = 'h',
  long_binget = 'j',
  stack_global = 0x93,
  newobj = 0x81,
  reduce = 'R',
  build = 'b',
  proto = 0x80,
  frame = 0x95,
};

/// For messages; empty for all others.
inline std::string_view name_of(PickleOpcode opcode) {
  using enum PickleOpcode;
  static constexpr std::pair<PickleOpcode, std::string_view> kNames[] = {
      {mark, "MARK"},
      {stop, "STOP"},
      {none, "NONE"},
      {newtrue, "NEWTRUE"},
      {newfalse, "NEWFALSE"},
      {binint, "BININT"},
      {binint1, "BININT1"},
      {binint2, "BININT2"},
      {long1, "LONG1"},
      {binfloat, "BINFLOAT"},
      {short_binunicode, "SHORT_BINUNICODE"},
      {binunicode, "BINUNICODE"},
      {short_binbytes, "SHORT_BINBYTES"},
      {binbytes, "BINBYTES"},
      {bytearray8, "BYTEARRAY8"},
      {empty_dict, "EMPTY_DICT"},
      {empty_list, "EMPTY_LIST"},
      {empty_tuple, "EMPTY_TUPLE"},
      {tuple, "TUPLE"},
      {tuple1, "TUPLE1"},
      {tuple2, "TUPLE2"},
      {tuple3, "TUPLE3"},
      {append, "APPEND"},
      {appends, "APPENDS"},
      {setitem, "SETITEM"},
      {setitems, "SETITEMS"},
      {memoize, "MEMOIZE"},
      {binget, "BINGET"},
      {long_binget, "LONG_BINGET"},
      {stack_global, "STACK_GLOBAL"},
      {newobj, "NEWOBJ"},
      {reduce, "REDUCE"},
      {build, "BUILD"},
      {frame, "FRAME"},
  };
  for (const auto& [code, name] : kNames)
    if (code == opcode) return name;
  return "";
}

}  // namespace cambium::formats
