"""Made-up weights of a trunk as a stock, and the same weights read back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from problem import MLP_RATIO, Size

WEIGHTS = Path(__file__)  # what the numbers depend on
Array = np.ndarray
Place = dict[str, object]


def shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """Every tensor of the trunk, by its name without the prefix `trunk.`."""
    width, hidden = size.width, MLP_RATIO * size.width
    found: dict[str, tuple[int, ...]] = {}
    for block in range(size.blocks):
        name = f"blocks.{block}."
        found |= {
            name + "norm_1.weight": (width,),
            name + "norm_1.bias": (width,),
            name + "attn.in_proj_weight": (3 * width, width),
            name + "attn.in_proj_bias": (3 * width,),
            name + "attn.bias_k": (1, 1, width),
            name + "attn.bias_v": (1, 1, width),
            name + "attn.out_proj.weight": (width, width),
            name + "attn.out_proj.bias": (width,),
            name + "norm_2.weight": (width,),
            name + "norm_2.bias": (width,),
            name + "mlp.fc1.weight": (hidden, width),
            name + "mlp.fc1.bias": (hidden,),
            name + "mlp.fc2.weight": (width, hidden),
            name + "mlp.fc2.bias": (width,),
        }
    return found


def _made_up(name: str, shape: tuple[int, ...], size: Size, rng: np.random.Generator) -> Array:
    values = rng.standard_normal(shape, dtype=np.float32)
    if "norm_" in name:
        return (name.endswith("weight")) + np.float32(0.02) * values
    if len(shape) == 2:
        # What is added to the residual is made small, so that 32 blocks of it stay ordinary.
        residual = "out_proj" in name or "fc2" in name
        scale = 1 / math.sqrt(shape[1] * (2 * size.blocks if residual else 1))
    else:
        scale = 0.5 if "bias_" in name else 0.02
    return np.float32(scale) * values


def write_stock(size: Size, path: Path, seed: int = 0) -> None:
    """A stock without shared stems (docs/files.md)."""
    header: dict[str, object] = {
        "__metadata__": {
            "cambium.kind": "stock",
            "architecture": "hpt",
            "embed_dim": str(size.width),
            "num_blocks": str(size.blocks),
            "num_heads": str(size.heads),
            "mlp_ratio": str(MLP_RATIO),
            "shared_stems": "[]",
            "trained": f"never: bench/peers, seed {seed}",
        }
    }
    wanted, begin = shapes(size), 0
    for name, shape in wanted.items():
        end = begin + 4 * math.prod(shape)
        header["trunk." + name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    rng = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in wanted.items():
            file.write(_made_up(name, shape, size, rng).astype("<f4").tobytes())


def _header(path: Path) -> tuple[dict[str, dict], int]:
    """Entries of the trunk's tensors without their prefix, and where the data begins."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    entries = {
        name.removeprefix("trunk."): entry
        for name, entry in header.items()
        if name.startswith("trunk.")
    }
    return entries, 8 + length


def read_stock(path: Path) -> dict[str, Array]:
    """The trunk's tensors, as views of the mapped file."""
    entries, begin = _header(path)
    data = np.memmap(path, dtype=np.uint8, mode="c", offset=begin)
    return {
        name: data[slice(*entry["data_offsets"])].view("<f4").reshape(entry["shape"])
        for name, entry in entries.items()
    }


def places(path: Path) -> dict[str, Place]:
    """Where each tensor lies, in the words of ONNX's external data."""
    entries, begin = _header(path)
    return {
        name: {"location": path.name, "offset": begin + first, "length": last - first}
        for name, entry in entries.items()
        for first, last in [entry["data_offsets"]]
    }
