"""Reads a message that nobody vouches for: every offset is checked before it is followed.

FlatBuffers' own Python code trusts its input, and Python takes a negative offset as one from the end.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from cambium._wire.schema import SCALARS, Optional, Struct, Table, TableList

_OFFSET = struct.Struct("<I")
_BACK = struct.Struct("<i")
_HALF = struct.Struct("<H")
_ARRAYS: dict[str, np.dtype[Any]] = {"[float]": np.dtype("<f4"), "[uint32]": np.dtype("<u4"), "[ubyte]": np.dtype("u1")}


class Malformed(ValueError):
    """The bytes are no sound message of this kind."""


def identifier_of(message: bytes) -> bytes:
    """What kind of message this claims to be."""
    return message[4:8]


def read(message: bytes, kind: Table) -> dict[str, Any]:
    """All fields of `message` by name, copied: absent scalars are 0, strings "", the rest None.

    Raises Malformed, and nothing else, whatever the bytes are. Takes memory and time in proportion to
    their number: no byte of them counts twice.
    """
    if identifier_of(message) != kind.identifier:
        raise Malformed(f"is no {kind.name}")
    reader = _Reader(message)
    return reader.table(reader.follow(0), kind)


class _Reader:
    def __init__(self, message: bytes) -> None:
        self._bytes = message
        self._left = len(message)  # bytes that fields may still claim: two must not share theirs

    def _unpack(self, layout: struct.Struct, at: int) -> Any:
        if not 0 <= at <= len(self._bytes) - layout.size:
            raise Malformed(f"something at byte {at} lies outside of the message")
        return layout.unpack_from(self._bytes, at)[0]

    def _claim(self, at: int, size: int) -> None:
        if not 0 <= at <= len(self._bytes) - size:
            raise Malformed(f"{size} bytes at byte {at} lie outside of the message")
        self._left -= size
        if self._left < 0:
            raise Malformed("its parts overlap")

    def follow(self, at: int) -> int:
        """Where the offset that lies at `at` leads."""
        offset: int = self._unpack(_OFFSET, at)
        return at + offset

    def table(self, at: int, kind: Table) -> dict[str, Any]:
        slots = at - self._unpack(_BACK, at)
        slots_size, size = self._unpack(_HALF, slots), self._unpack(_HALF, slots + 2)
        if slots_size < 4 or slots + slots_size > len(self._bytes):
            raise Malformed(f"the table of offsets at byte {slots} lies outside of the message")
        if size < 4:
            raise Malformed(f"the table at byte {at} has no room for its own offset")
        self._claim(at, size)
        values = {}
        for index, (name, field) in enumerate(kind.fields.items()):
            slot = 4 + 2 * index
            offset = self._unpack(_HALF, slots + slot) if slot + 2 <= slots_size else 0
            if offset and offset + _inline_size(field) > size:
                raise Malformed(f"{kind.name}.{name} lies outside of its table")
            values[name] = self._field(at + offset, field) if offset else _absent(field)
        return values

    def _field(self, at: int, field: Any) -> Any:
        if isinstance(field, Optional):
            field = field.of
        if isinstance(field, Struct):
            return dict(zip(field.fields, field.layout.unpack_from(self._bytes, at)))
        if isinstance(field, Table):
            return self.table(self.follow(at), field)
        if isinstance(field, TableList):
            return [self.table(self.follow(one), field.of) for one in self._offsets(at)]
        if field in SCALARS:
            return self._unpack(SCALARS[field], at)
        if field == "string":
            return self._text(at)
        if field == "[string]":
            return [self._text(one) for one in self._offsets(at)]
        first, count = self._vector(at, _ARRAYS[field].itemsize)
        return np.frombuffer(self._bytes, _ARRAYS[field], count, first).copy()

    def _vector(self, at: int, item_size: int) -> tuple[int, int]:
        start = self.follow(at)
        count = self._unpack(_OFFSET, start)
        self._claim(start, 4 + count * item_size)
        return start + 4, count

    def _offsets(self, at: int) -> range:
        first, count = self._vector(at, 4)
        return range(first, first + 4 * count, 4)

    def _text(self, at: int) -> str:
        first, size = self._vector(at, 1)
        return self._bytes[first : first + size].decode("utf-8", errors="replace")


def _inline_size(field: Any) -> int:
    if isinstance(field, Optional):
        field = field.of
    if isinstance(field, Struct):
        return field.layout.size
    return SCALARS[field].size if isinstance(field, str) and field in SCALARS else 4


def _absent(field: Any) -> Any:
    if field == "string":
        return ""
    if isinstance(field, str) and field in SCALARS:
        return SCALARS[field].unpack(bytes(SCALARS[field].size))[0]
    return None
