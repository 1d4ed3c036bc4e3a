"""Writes .safetensors files as core/nn/safetensors_write.cpp does: largest elements first, header padded to 8."""

from __future__ import annotations

import json
import os
import struct
from typing import Mapping

import numpy as np
from numpy.typing import NDArray

from cambium.status import CambiumError, Code

#: numpy's words for what a file may hold, and the file's.
DTYPES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<i2": "I16", "|i1": "I8", "|u1": "U8"}
_MOST_DIMENSIONS = 5  # the C++ side reads no more


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
