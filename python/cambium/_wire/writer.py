"""Writes a message with FlatBuffers' own builder, from the tables of schema.py."""

from __future__ import annotations

from typing import Any, Mapping

import flatbuffers
import numpy as np

from cambium._wire.schema import Optional, Struct, Table, TableList

_ARRAYS = {"[float]": "<f4", "[uint32]": "<u4", "[ubyte]": "u1"}
_PREPEND = {
    "bool": "Bool",
    "ubyte": "Uint8",
    "uint16": "Uint16",
    "uint32": "Uint32",
    "uint64": "Uint64",
    "int64": "Int64",
    "float": "Float32",
    "double": "Float64",
}


def write(kind: Table, values: Mapping[str, Any]) -> bytes:
    """A message of this kind. Fields that are missing, None or 0 are left out, as flatc's code does."""
    size = 256 + sum(one.nbytes for one in _arrays_of(values))
    builder = flatbuffers.Builder(size)
    builder.Finish(_table(builder, kind, values), file_identifier=kind.identifier)
    return bytes(builder.Output())


def _arrays_of(value: Any) -> list[Any]:
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, Mapping):
        return [array for one in value.values() for array in _arrays_of(one)]
    return [array for one in value for array in _arrays_of(one)] if isinstance(value, list) else []


def _table(builder: Any, kind: Table, values: Mapping[str, Any]) -> int:
    unknown = values.keys() - kind.fields.keys()
    if unknown:
        raise KeyError(f"{kind.name} has no field {sorted(unknown)[0]!r}")
    # What a table points at is written before it.
    offsets = {
        name: _outside(builder, field, values[name])
        for name, field in kind.fields.items()
        if values.get(name) is not None and _is_outside(field)
    }
    builder.StartObject(len(kind.fields))
    for slot, (name, field) in enumerate(kind.fields.items()):
        value = values.get(name)
        if value is None:
            continue
        if name in offsets:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[name], 0)
        elif isinstance(field, Struct):
            builder.PrependStructSlot(slot, _struct(builder, field, value), 0)
        elif isinstance(field, Optional):  # 0 is not absence here, so it is written
            getattr(builder, f"Prepend{_PREPEND[field.of]}")(value)
            builder.Slot(slot)
        else:
            getattr(builder, f"Prepend{_PREPEND[str(field)]}Slot")(slot, value, 0)
    return int(builder.EndObject())


def _is_outside(field: Any) -> bool:
    return isinstance(field, (Table, TableList)) or (isinstance(field, str) and field not in _PREPEND)


def _outside(builder: Any, field: Any, value: Any) -> int:
    if isinstance(field, Table):
        return _table(builder, field, value)
    if isinstance(field, TableList):
        return _offsets(builder, [_table(builder, field.of, one) for one in value])
    if field == "string":
        return int(builder.CreateString(value))
    if field == "[string]":
        return _offsets(builder, [builder.CreateString(one) for one in value])
    return int(builder.CreateNumpyVector(np.ascontiguousarray(value, _ARRAYS[field]).reshape(-1)))


def _offsets(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for one in reversed(offsets):
        builder.PrependUOffsetTRelative(one)
    return int(builder.EndVector())


def _struct(builder: Any, field: Struct, values: Mapping[str, Any]) -> int:
    builder.Prep(8, field.layout.size)
    for name in reversed(list(field.fields)):
        getattr(builder, f"Prepend{_PREPEND[field.fields[name]]}")(values[name])
    return int(builder.Offset())
