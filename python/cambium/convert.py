"""`python -m cambium.convert CHECKPOINT STOCK`: a published HPT trunk (.pth) as a stock that `cambium trunk` serves.

A stock keeps the parameter names of the original code; docs/files.md says what else it holds.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any, Mapping

import numpy as np
from numpy.typing import NDArray

from cambium.safetensors import write_safetensors
from cambium.status import CambiumError, Code

SUMMARY = "Convert a published HPT trunk (trunk.pth, or a whole policy) into a stock."

_TRUNK_NAME = re.compile(r"(?:^|\.)trunk\.(blocks\.(\d+)\..+)$")
_HEADS = re.compile(r"^\s*num_heads:\s*(\d+)\s*(?:#.*)?$", re.MULTILINE)
_CONFIG_FILES = ("config.yaml", "config.yml")


def convert(
    source: str | os.PathLike[str], to: str | os.PathLike[str], *, heads: int | None = None, force: bool = False
) -> dict[str, str]:
    """Reads the trunk of `source`, writes the stock `to`, and returns the metadata of what was written.

    source  a .pth file, or a folder that holds trunk.pth; read with torch, which unpickles weights only
    heads   attention heads; else as config.yaml beside the file says: the weights do not tell
    force   write over a file that is there
    """
    path = os.path.join(source, "trunk.pth") if os.path.isdir(source) else os.fspath(source)
    if not os.path.isfile(path):
        raise CambiumError(Code.not_found, f"'{path}': no such file")
    if os.path.exists(to) and not force:
        raise CambiumError(Code.bad_argument, f"'{os.fspath(to)}' is there already; --force writes over it")
    tensors = trunk_of(load_checkpoint(path), path)
    metadata = metadata_of(tensors, heads or heads_beside(path), path)
    metadata["trained"] = f"converted from {os.path.basename(path)}"
    write_safetensors(to, tensors, metadata)
    return metadata


def load_checkpoint(path: str) -> dict[str, NDArray[Any]]:
    """All tensors of a PyTorch checkpoint; a nested one by dotted names. Executes nothing of the file."""
    try:
        import torch
    except ImportError as error:
        raise CambiumError(
            Code.unavailable,
            f"'{path}': a .pth file is read with PyTorch, which cannot be had here ({error}): "
            "apt install python3-torch, or pip install torch",
        ) from None
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except TypeError:  # before 1.13 it had no such argument, and would run what the file says
        raise CambiumError(
            Code.incompatible, f"PyTorch {torch.__version__} cannot read weights only, expected 1.13 or later"
        ) from None
    except Exception as error:  # torch has no error of its own for it
        raise CambiumError(Code.bad_data, f"'{path}': is no checkpoint of weights: {error}") from None
    found: dict[str, NDArray[Any]] = {}

    def collect(prefix: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            floating = value.is_floating_point()
            found[prefix] = (value.detach().to(torch.float32) if floating else value.detach()).numpy()
        elif isinstance(value, Mapping):
            for key, one in value.items():
                collect(f"{prefix}.{key}" if prefix else str(key), one)

    collect("", loaded)
    return found


def trunk_of(checkpoint: Mapping[str, NDArray[Any]], path: str) -> dict[str, NDArray[np.float32]]:
    """The trunk's tensors as a stock names them, "trunk.blocks.0.…", in f32."""
    tensors: dict[str, NDArray[np.float32]] = {}
    for name, tensor in checkpoint.items():
        match = _TRUNK_NAME.search(name)
        if match is None:  # a whole policy has stems and heads too
            continue
        key = f"trunk.{match[1]}"
        if key in tensors:
            raise CambiumError(Code.bad_data, f"'{path}': two tensors are '{key}'; one is '{name}'")
        if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
            raise CambiumError(Code.bad_data, f"'{path}': tensor '{name}' holds something that is no finite number")
        tensors[key] = np.ascontiguousarray(tensor, dtype="<f4")
    if not tensors:
        shown = ", ".join(f"'{name}'" for name in list(checkpoint)[:3]) or "nothing"
        raise CambiumError(
            Code.bad_data, f"'{path}': no tensor of a trunk, expected 'trunk.blocks.0.norm_1.weight' …; it has {shown}"
        )
    return tensors


def metadata_of(tensors: Mapping[str, NDArray[np.float32]], heads: int | None, path: str) -> dict[str, str]:
    """What a stock says of itself; every tensor is held against it."""
    first = tensors.get("trunk.blocks.0.norm_1.weight")
    fc1 = tensors.get("trunk.blocks.0.mlp.fc1.weight")
    if first is None or fc1 is None or first.ndim != 1 or fc1.ndim != 2:
        raise CambiumError(Code.bad_data, f"'{path}': block 0 has no 'norm_1.weight' (width) and 'mlp.fc1.weight'")
    width, hidden = first.shape[0], fc1.shape[0]
    blocks = 1 + max(int(name.split(".")[2]) for name in tensors)
    if width == 0 or hidden % width != 0:
        raise CambiumError(Code.bad_data, f"'{path}': an MLP of {hidden} for width {width}, expected a multiple")
    expected = {
        f"trunk.blocks.{block}.{name}": shape
        for block in range(blocks)
        for name, shape in _block_shapes(width, hidden).items()
    }
    for name, shape in expected.items():
        if name not in tensors:
            raise CambiumError(Code.bad_data, f"'{path}': no tensor '{name}' in {blocks} blocks")
        if tensors[name].shape != shape:
            raise CambiumError(
                Code.bad_data, f"'{path}': tensor '{name}' has shape {tensors[name].shape}, expected {shape}"
            )
    surplus = sorted(tensors.keys() - expected.keys())
    if surplus:
        raise CambiumError(Code.incompatible, f"'{path}': tensor '{surplus[0]}' is none of an HPT trunk")
    if heads is None:
        raise CambiumError(
            Code.bad_argument,
            f"'{path}': how many attention heads? The weights do not tell, and there is no config.yaml "
            "beside them with num_heads; say --heads N",
        )
    if heads < 1 or width % heads != 0:
        raise CambiumError(Code.bad_argument, f"{heads} heads do not divide the width {width}")
    return {
        "cambium.kind": "stock",
        "architecture": "hpt",
        "embed_dim": str(width),
        "num_blocks": str(blocks),
        "num_heads": str(heads),
        "mlp_ratio": str(hidden // width),
        "shared_stems": "[]",
    }


def _block_shapes(width: int, hidden: int) -> dict[str, tuple[int, ...]]:
    return {
        "norm_1.weight": (width,),
        "norm_1.bias": (width,),
        "norm_2.weight": (width,),
        "norm_2.bias": (width,),
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.bias_k": (1, 1, width),
        "attn.bias_v": (1, 1, width),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "mlp.fc1.weight": (hidden, width),
        "mlp.fc1.bias": (hidden,),
        "mlp.fc2.weight": (width, hidden),
        "mlp.fc2.bias": (width,),
    }


def heads_beside(path: str) -> int | None:
    """`num_heads` of the trunk in the configuration that lies beside a published checkpoint, if it is there once."""
    for name in _CONFIG_FILES:
        config = os.path.join(os.path.dirname(path), name)
        if os.path.isfile(config):
            with open(config, encoding="utf-8", errors="replace") as text:
                found = {int(one) for one in _HEADS.findall(text.read())}
            if len(found) == 1:
                return found.pop()
    return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help=".pth file, or a folder with trunk.pth")
    parser.add_argument("stock", help=".safetensors file to write")
    parser.add_argument("--heads", type=int, help="attention heads; else from config.yaml beside the file")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.set_defaults(run=run, verb="convert")


def run(options: argparse.Namespace) -> int:
    metadata = convert(options.source, options.stock, heads=options.heads, force=options.force)
    what = ", ".join(f"{key} {metadata[key]}" for key in ("embed_dim", "num_blocks", "num_heads"))
    print(f"wrote {options.stock}: hpt, {what}; `cambium trunk --stock {options.stock}` serves it")
    return 0


if __name__ == "__main__":
    from cambium.__main__ import main

    sys.exit(main(["convert", *sys.argv[1:]]))
