"""Reads and writes .safetensors files as core/nn/safetensors.hpp does: every byte is checked before use; what is
written has its largest elements first and a header padded to 8."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np
from numpy.typing import NDArray

from cambium.nearest import did_you_mean
from cambium.status import CambiumError, Code

#: numpy's words for what a file may hold, and the file's.
DTYPES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<i2": "I16", "|i1": "I8", "|u1": "U8"}
_MOST_DIMENSIONS = 5  # the C++ side reads no more
_MOST_HEADER = 100_000_000  # [B] as the format's own reader allows
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_NUMPY = {**{word: dtype for dtype, word in DTYPES.items()}, "BF16": "<u2", "BOOL": "|b1"}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file: its bytes as numbers; BF16 as the u16 that holds its bits."""

    dtype: str  #: as in the file: "F32"
    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape


@dataclass(frozen=True)
class SafetensorsFile:
    path: str
    metadata: dict[str, str]
    tensors: dict[str, StoredTensor]  #: in order of name


def read_safetensors(file: str | os.PathLike[str]) -> SafetensorsFile:
    """The whole file. Header, dtypes, shapes and ranges are checked before a tensor is made: ranges lie in the file, do
    not overlap, leave no hole. Errors name file, tensor, both numbers."""
    path = os.fspath(file)
    try:
        with open(path, "rb") as source:
            whole = source.read()
    except FileNotFoundError:
        raise CambiumError(Code.not_found, f"'{path}': cannot open: no such file") from None
    except OSError as error:
        raise CambiumError(Code.failed, f"'{path}': cannot open: {error.strerror}") from None

    def bad(what: str) -> CambiumError:
        return CambiumError(Code.bad_data, f"'{path}': {what}")

    if len(whole) < 8:
        raise bad(f"is {len(whole)} bytes long, too short for a .safetensors file")
    size = struct.unpack("<Q", whole[:8])[0]
    if size > _MOST_HEADER or size > len(whole) - 8:
        raise bad(f"says that its header has {size} bytes, the file has {len(whole)} (is it .safetensors?)")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise bad(f"two entries named '{name}' in its header")
            found[name] = value
        return found

    try:
        header = json.loads(whole[8 : 8 + size].decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise bad(f"header is not valid JSON: {error}") from None
    if not isinstance(header, dict):
        raise bad("header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise bad("__metadata__ is not a JSON object")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise bad(f"metadata '{key}' is {json.dumps(value)}, expected text")
    ranges = sorted((*_range_of(name, about, bad), name) for name, about in header.items())
    data = memoryview(whole)[8 + size :]
    at = 0
    tensors: dict[str, StoredTensor] = {}
    for begin, end, name in ranges:
        if end > len(data):
            raise bad(f"tensor '{name}': data ends at byte {end}, the file holds {len(data)} (truncated?)")
        if begin != at:
            how = "inside another tensor" if begin < at else "leaving a hole"
            raise bad(f"tensor '{name}': data begins at byte {begin}, expected {at}: {how}")
        word = header[name]["dtype"]
        if begin % _SIZES[word] != 0:
            raise bad(f"tensor '{name}': data begins at byte {begin}, not a multiple of {_SIZES[word]} as {word} needs")
        values = np.frombuffer(data[begin:end], _NUMPY[word]).reshape(header[name]["shape"])
        tensors[name] = StoredTensor(word, values)
        at = end
    if at != len(data):
        raise bad(f"tensors end at byte {at} of the data, the file holds {len(data)}")
    return SafetensorsFile(path, metadata, dict(sorted(tensors.items())))


def _range_of(name: str, about: Any, bad: Any) -> tuple[int, int]:
    """Where the bytes of a tensor lie; what the header says is believed only where it agrees with itself."""
    if not isinstance(about, dict):
        raise bad(f"tensor '{name}': is described by something that is not a JSON object")
    fields = ("dtype", "shape", "data_offsets")
    for key in about:
        if key not in fields:
            raise bad(f"tensor '{name}': unknown field '{key}'{did_you_mean(key, fields)}")
    for key in fields:
        if key not in about:
            raise bad(f"tensor '{name}': field '{key}' is missing")

    def sizes(value: Any) -> bool:
        return isinstance(value, list) and all(type(one) is int and 0 <= one < 1 << 63 for one in value)

    if about["dtype"] not in _SIZES:
        raise bad(f"tensor '{name}': dtype '{about['dtype']}' is not supported (valid: {', '.join(_SIZES)})")
    if not sizes(about["shape"]):
        raise bad(f"tensor '{name}': shape is not a list of sizes")
    if len(about["shape"]) > _MOST_DIMENSIONS:
        raise bad(f"tensor '{name}': has {len(about['shape'])} dimensions, at most {_MOST_DIMENSIONS} are supported")
    if not sizes(about["data_offsets"]) or len(about["data_offsets"]) != 2:
        raise bad(f"tensor '{name}': data_offsets is not a pair of sizes")
    begin, end = about["data_offsets"]
    expected = _SIZES[about["dtype"]]
    for extent in about["shape"]:
        expected *= extent
    if end - begin != expected:
        raise bad(
            f"tensor '{name}': {about['dtype']} {about['shape']} takes {expected} bytes, data_offsets give "
            f"{end - begin}"
        )
    return begin, end


def write_safetensors(
    file: str | os.PathLike[str], tensors: Mapping[str, NDArray[np.generic]], metadata: Mapping[str, str]
) -> None:
    """Through a temporary file beside `file` and a rename: a reader sees the old file or the whole new one."""
    path = os.path.abspath(file)
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name in order:
        tensor = tensors[name]
        if tensor.dtype.str not in DTYPES or tensor.ndim > _MOST_DIMENSIONS:
            raise CambiumError(
                Code.bad_argument,
                f"'{path}': tensor '{name}' to be written has type {tensor.dtype} and {tensor.ndim} dimensions",
            )
        header[name] = {
            "dtype": DTYPES[tensor.dtype.str],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.nbytes],
        }
        at += tensor.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for name in order:
                out.write(np.ascontiguousarray(tensors[name]).tobytes())
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CambiumError(Code.failed, f"'{path}': cannot write: {error.strerror}") from None
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
