// core/formats/pickle_opcodes.hpp: the opcodes of pickles that clients send; Python's names and
// numbers (Lib/pickletools.py).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace cambium::formats::pickle {

enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kNone = 'N',
  kTrue = 0x88,
  kFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kShortBinUnicode = 0x8c,
  kBinUnicode = 'X',
  kShortBinBytes = 'C',
  kBinBytes = 'B',
  kByteArray8 = 0x96,
  kEmptyDict = '}',
  kEmptyList = ']',
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kAppend = 'a',
  kAppends = 'e',
  kSetItem = 's',
  kSetItems = 'u',
  kMemoize = 0x94,
  kBinGet = 'h',
  kLongBinGet = 'j',
  kStackGlobal = 0x93,
  kNewObj = 0x81,
  kReduce = 'R',
  kBuild = 'b',
  kProto = 0x80,
  kFrame = 0x95,
};

/// For messages; empty for all others.
inline std::string_view name_of(std::uint8_t opcode) {
  static constexpr std::pair<std::uint8_t, std::string_view> kNames[] = {
      {kMark, "MARK"},
      {kStop, "STOP"},
      {kNone, "NONE"},
      {kTrue, "NEWTRUE"},
      {kFalse, "NEWFALSE"},
      {kBinInt, "BININT"},
      {kBinInt1, "BININT1"},
      {kBinInt2, "BININT2"},
      {kLong1, "LONG1"},
      {kBinFloat, "BINFLOAT"},
      {kShortBinUnicode, "SHORT_BINUNICODE"},
      {kBinUnicode, "BINUNICODE"},
      {kShortBinBytes, "SHORT_BINBYTES"},
      {kBinBytes, "BINBYTES"},
      {kByteArray8, "BYTEARRAY8"},
      {kEmptyDict, "EMPTY_DICT"},
      {kEmptyList, "EMPTY_LIST"},
      {kEmptyTuple, "EMPTY_TUPLE"},
      {kTuple, "TUPLE"},
      {kTuple1, "TUPLE1"},
      {kTuple2, "TUPLE2"},
      {kTuple3, "TUPLE3"},
      {kAppend, "APPEND"},
      {kAppends, "APPENDS"},
      {kSetItem, "SETITEM"},
      {kSetItems, "SETITEMS"},
      {kMemoize, "MEMOIZE"},
      {kBinGet, "BINGET"},
      {kLongBinGet, "LONG_BINGET"},
      {kStackGlobal, "STACK_GLOBAL"},
      {kNewObj, "NEWOBJ"},
      {kReduce, "REDUCE"},
      {kBuild, "BUILD"},
      {kFrame, "FRAME"},
  };
  for (const auto& [code, name] : kNames)
    if (code == opcode) return name;
  return "";
}

}  // namespace cambium::formats::pickle
