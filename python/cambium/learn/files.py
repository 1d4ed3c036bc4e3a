"""Stocks and bundles (docs/files.md): what `cambium pretrain` and `cambium graft` write, and what hosts read."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cambium.learn.dataset import JOINTS, Dataset, DatasetInput
from cambium.learn.demonstrations import F32
from cambium.learn.fields import Fields
from cambium.learn.joint_chain import shortest
from cambium.learn.model import BodySpec, SharedHead, SharedStem, TrunkShape
from cambium.learn.recipe import Recipe
from cambium.safetensors import SafetensorsFile, StoredTensor, read_safetensors, write_safetensors
from cambium.status import CambiumError, Code

SHARED_HEAD = "heads.shared."
_MOST_WIDTH, _MOST_BLOCKS, _MOST = 65536, 1024, 4096


@dataclass(frozen=True)
class Stock:
    """A verified stock that can be grafted onto."""

    path: str
    shape: TrunkShape
    shared_stems: tuple[SharedStem, ...]
    shared_head: SharedHead | None
    trunk_id: str
    tensors: dict[str, F32]

    def stem(self, sensor: str) -> SharedStem | None:
        return next((one for one in self.shared_stems if one.sensor == sensor), None)


def read_stock(path: str | os.PathLike[str]) -> Stock:
    """Refuses what cannot be grafted onto: another trunk than HPT, weights that are not F32, stems of other kinds."""
    file = read_safetensors(path)
    fields = Fields.of(file)
    fields.one_of("cambium.kind", ["stock"])
    architecture = fields.text("architecture")
    if architecture != "hpt":
        raise _cannot(file, f"its trunk is '{architecture}', and a graft trains through 'hpt' only")
    shape = TrunkShape(
        fields.count("embed_dim", 1, _MOST_WIDTH),
        fields.count("num_blocks", 1, _MOST_BLOCKS),
        fields.count("num_heads", 1, _MOST_WIDTH),
        fields.count("mlp_ratio", 1, 64),
    )
    if shape.width % shape.heads != 0:
        raise fields.fail("embed_dim", f"is {shape.width}, not a multiple of num_heads = {shape.heads}")
    stems: list[SharedStem] = []
    for i, value in enumerate(fields.list("shared_stems")):
        stem = _parse_stem(file, Fields(value, f"{fields.where} 'shared_stems[{i}]'"))
        if any(one.sensor == stem.sensor for one in stems):
            raise fields.fail("shared_stems", f"names sensor '{stem.sensor}' twice")
        stems.append(stem)
    head: SharedHead | None = None
    if fields.has("shared_head"):
        inner = Fields(fields.object("shared_head"), f"{fields.where} 'shared_head'")
        kind, parameters = inner.text("name"), inner.text_map("parameters")
        head = SharedHead(inner.count("horizon", 1, _MOST), _widths(file, "the shared head", parameters))
        inner.finish()
        if kind != "joint":
            raise _cannot(file, f"its shared head is of kind '{kind}', not 'joint'")
    if fields.has("hyper_parameters") and fields.text_map("hyper_parameters"):
        raise _cannot(file, "an hpt trunk has no hyper_parameters")
    if fields.has("precision"):
        fields.one_of("precision", ["f32", "bf16", "int8"])
    if fields.has("trained"):
        fields.text("trained")
    fields.finish()
    return Stock(str(file.path), shape, tuple(stems), head, trunk_id(shape, file.tensors), _weights(file))


def _parse_stem(file: SafetensorsFile, fields: Fields) -> SharedStem:
    sensor, kind = fields.text("sensor"), fields.text("stem")
    shape = fields.sizes("shape", 4, may_be_empty=True)
    horizon, tokens = fields.count("horizon", 1, _MOST), fields.count("tokens", 0, _MOST)
    parameters = fields.text_map("parameters")
    fields.finish()
    token = kind == "token" and tokens == 1 and bool(shape)
    joints = kind == "joints" and sensor == JOINTS and not shape
    if horizon != 1 or not (token or joints):
        raise _cannot(
            file,
            f"the shared stem of '{sensor}' is neither a 'token' stem of one observation and one token nor a 'joints' "
            "stem of joint_position",
        )
    return SharedStem(sensor, shape, _widths(file, f"the shared stem of '{sensor}'", parameters))


def _widths(file: SafetensorsFile, what: str, parameters: Mapping[str, str]) -> tuple[int, ...]:
    text = parameters.get("widths", "[128]")
    try:
        widths = json.loads(text)
    except ValueError:
        widths = None
    if not isinstance(widths, list) or not all(type(one) is int and 1 <= one <= _MOST_WIDTH for one in widths):
        raise _cannot(file, f"{what} has widths '{text}', expected a list of sizes")
    return tuple(widths)


def _weights(file: SafetensorsFile) -> dict[str, F32]:
    for name, tensor in file.tensors.items():
        if tensor.dtype != "F32":
            raise _cannot(file, f"tensor '{name}' is {tensor.dtype}, expected F32")
        if not np.isfinite(tensor.values).all():
            raise CambiumError(Code.bad_data, f"'{file.path}': tensor '{name}' holds NaN or infinity")
    return {name: tensor.values for name, tensor in file.tensors.items()}


def trunk_id(shape: TrunkShape, tensors: Mapping[str, StoredTensor]) -> str:
    """SHA-256 over shape and tensors, in hex. A shared head is no part of the trunk's identity."""
    sha = hashlib.sha256(f"hpt {shape.width} {shape.blocks} {shape.heads} {shape.mlp_ratio}\n".encode())
    for name, tensor in sorted(tensors.items()):
        if name.startswith(SHARED_HEAD):
            continue
        sha.update(f"{name} {tensor.dtype} [{','.join(str(one) for one in tensor.shape)}]\n".encode())
        sha.update(np.ascontiguousarray(tensor.values))
    return sha.hexdigest()


def write_stock(
    path: str,
    shape: TrunkShape,
    stems: Sequence[SharedStem],
    head: SharedHead | None,
    tensors: Mapping[str, F32],
    trained: str,
) -> Stock:
    """Writes a stock and reads it again, so that what is returned is what a reader sees."""
    metadata = {
        "cambium.kind": "stock",
        "architecture": "hpt",
        "embed_dim": str(shape.width),
        "num_blocks": str(shape.blocks),
        "num_heads": str(shape.heads),
        "mlp_ratio": str(shape.mlp_ratio),
        "shared_stems": _json(
            [
                {
                    "sensor": stem.sensor,
                    "stem": "token" if stem.shape else "joints",
                    "shape": list(stem.shape),
                    "horizon": 1,
                    "tokens": 1 if stem.shape else 0,  # 0: as many as there are joints
                    "parameters": _widths_parameter(stem.widths),
                }
                for stem in stems
            ]
        ),
        "trained": trained,
    }
    if head is not None:
        metadata["shared_head"] = _json(
            {"name": "joint", "parameters": _widths_parameter(head.widths), "horizon": head.horizon}
        )
    write_safetensors(path, _little_endian(tensors), dict(sorted(metadata.items())))
    return read_stock(path)


def write_bundle(
    path: str, body: BodySpec, data: Dataset, recipe: Recipe, stock: Stock, tensors: Mapping[str, F32], trained: str
) -> None:
    """tensors: private stems and head by their names of this body, "heads.planar3.net.0.weight"."""
    d = data.demonstrations
    joint = body.head == "joint"
    widths = stock.shared_head.widths if body.head_shared and stock.shared_head else body.head_widths
    parameters = _widths_parameter(widths)
    if joint:
        parameters["first"] = str(body.first_joint)
    metadata = {
        "cambium.kind": "bundle",
        "embodiment": d.embodiment,
        "trunk_id": stock.trunk_id,
        "width": str(stock.shape.width),
        "horizon": str(d.horizon),
        "dof": str(d.dof),
        "action_kind": d.action_kind,
        "control_hz": shortest(d.control_hz),
        "observation_horizon": "1",
        "pooling": "none" if joint else "mean",
        "pooled": "1",
        "layout": _json([_entry(one, body, data, stock) for one in data.inputs]),
        "head": _json({"name": body.head, "parameters": dict(sorted(parameters.items()))}),
        "clamp": shortest(recipe.clamp),
        "trained": trained,
    }
    every = dict(tensors)
    for name, normaliser in (*((one.sensor, one.normaliser) for one in data.inputs), ("action", data.action)):
        prefix = f"normalizer.{d.embodiment}.params_dict.{name}."
        every[prefix + "scale"], every[prefix + "offset"] = normaliser.scale, normaliser.offset
    write_safetensors(path, _little_endian(every), dict(sorted(metadata.items())))


def _entry(one: DatasetInput, body: BodySpec, data: Dataset, stock: Stock) -> dict[str, Any]:
    shared = stock.stem(one.sensor) if one.shared else None
    stem = next(spec for spec in body.stems if spec.sensor == one.sensor)
    parameters = _widths_parameter(shared.widths if shared else stem.widths)
    if one.of_joints and data.chain is not None:
        parameters["chain"] = data.chain.to_text()
    return {
        "sensor": one.sensor,
        "stem": "joints" if one.of_joints else "token",
        "shape": list(one.shape),
        "tokens": one.tokens,
        "shared": one.shared,
        "parameters": dict(sorted(parameters.items())),
    }


def _widths_parameter(widths: Sequence[int]) -> dict[str, str]:
    return {"widths": _json(list(widths))}


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _little_endian(tensors: Mapping[str, F32]) -> dict[str, NDArray[np.generic]]:
    return {name: np.ascontiguousarray(values, "<f4") for name, values in tensors.items()}


def _cannot(file: SafetensorsFile, what: str) -> CambiumError:
    return CambiumError(Code.incompatible, f"'{file.path}': cannot graft: {what}")
