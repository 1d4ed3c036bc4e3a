"""A trained body as a function: readings in, actions out, as a host computes them."""

from __future__ import annotations

import json
import os
from typing import Any, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from cambium.learn import joint_chain
from cambium.learn.dataset import Normaliser
from cambium.learn.demonstrations import ACTION_KINDS, F32
from cambium.learn.fields import Fields
from cambium.learn.files import read_stock
from cambium.learn.joint_chain import ChainSpec
from cambium.learn.model import BodySpec, Policy, StemSpec
from cambium.nearest import did_you_mean
from cambium.safetensors import read_safetensors
from cambium.status import CambiumError, Code

_MOST = 4096


class BodyPolicy:
    """What one stock and one of its bundles compute. Heads `mlp` and `joint`, stems `token` and `joints`."""

    def __init__(self, stock_file: str | os.PathLike[str], bundle_file: str | os.PathLike[str]) -> None:
        self._stock = read_stock(stock_file)
        self._file = read_safetensors(bundle_file)
        fields = Fields.of(self._file)
        fields.one_of("cambium.kind", ["bundle"])
        self.embodiment, trunk = fields.text("embodiment"), fields.text("trunk_id")
        if trunk != self._stock.trunk_id:
            raise self._differs(f"it was made for trunk {trunk}, '{self._stock.path}' is {self._stock.trunk_id}")
        fields.count("width", self._stock.shape.width, self._stock.shape.width)
        self.horizon, self.dof = fields.count("horizon", 1, _MOST), fields.count("dof", 1, _MOST)
        self.action_kind, self.control_hz = fields.one_of("action_kind", ACTION_KINDS), fields.number("control_hz")
        fields.count("observation_horizon", 1, 1)
        pooling, _ = fields.one_of("pooling", ["mean", "none"]), fields.count("pooled", 1, 1)
        clamp = fields.number("clamp") if fields.has("clamp") else None
        self._chain: ChainSpec | None = None
        self._normalisers: dict[str, Normaliser] = {}
        stems = []
        for i, value in enumerate(fields.list("layout")):
            stem = self._stem(Fields(value, f"{fields.where} 'layout[{i}]'"))
            stems.append(stem)
            self._normalisers[stem.sensor] = self._normaliser(stem.sensor, clamp)
        self._action = self._normaliser("action", None)
        head = Fields(fields.object("head"), f"{fields.where} 'head'")
        kind, parameters = head.one_of("name", ["mlp", "joint"]), head.text_map("parameters")
        head.finish()
        if fields.has("trained"):
            fields.text("trained")
        fields.finish()
        if (kind == "joint") != (pooling == "none"):
            raise self._differs(f"a '{kind}' head does not read what pooling '{pooling}' gives")
        widths = _widths(parameters)
        body = BodySpec(self.embodiment, tuple(stems), self.horizon, self.dof, kind, widths)
        if kind == "joint" and parameters.get("first") != str(body.first_joint):
            raise self._differs(f"its head begins at row {parameters.get('first')}, joints at {body.first_joint}")
        self._policy = Policy(self._stock.shape, self._stock.shared_stems, [body])
        self._load()

    @property
    def sensors(self) -> list[str]:
        """What it reads."""
        return list(self._normalisers)

    @torch.no_grad()
    def chunk(self, readings: Mapping[str, NDArray[Any]]) -> F32:
        """readings: SI, of each sensor (rows, …shape). Gives (rows, horizon, dof) SI, before any gate."""
        inputs = []
        for stem in self._policy.bodies[0].stems:
            if stem.sensor not in readings:
                raise CambiumError(
                    Code.bad_argument, f"no reading of '{stem.sensor}'{did_you_mean(stem.sensor, list(readings))}"
                )
            values = np.asarray(readings[stem.sensor], np.float32)
            values = self._normalisers[stem.sensor].normalise(values.reshape(len(values), -1))
            if stem.shared and self._chain is not None and stem.sensor == "joint_position":
                values = joint_chain.features(self._chain, self._normalisers[stem.sensor].unnormalise(values))
            inputs.append(torch.from_numpy(values))
        actions: F32 = self._action.unnormalise(self._policy([inputs])[0].numpy())
        return actions

    def _stem(self, fields: Fields) -> StemSpec:
        sensor, kind = fields.text("sensor"), fields.one_of("stem", ["token", "joints"])
        shape = fields.sizes("shape", 4)
        tokens, shared = fields.count("tokens", 1, _MOST), fields.boolean("shared")
        parameters = fields.text_map("parameters")
        fields.finish()
        if kind == "joints":
            self._chain = ChainSpec.from_text(parameters.get("chain", ""))
            size = joint_chain.FEATURES
        else:
            size = int(np.prod(shape))
        if shared and self._stock.stem(sensor) is None:
            names = [one.sensor for one in self._stock.shared_stems]
            raise self._differs(f"the stock has no shared stem for sensor '{sensor}'{did_you_mean(sensor, names)}")
        return StemSpec(sensor, size, shared, _widths(parameters), tokens)

    def _normaliser(self, name: str, clamp: float | None) -> Normaliser:
        prefix = f"normalizer.{self.embodiment}.params_dict.{name}."
        return Normaliser(self._tensor(prefix + "scale"), self._tensor(prefix + "offset"), clamp)

    def _tensor(self, name: str) -> F32:
        tensor = self._file.tensors.get(name)
        if tensor is None or tensor.dtype != "F32":
            raise CambiumError(Code.bad_data, f"'{self._file.path}': no F32 tensor '{name}'")
        values: F32 = tensor.values
        return values

    def _load(self) -> None:
        stock = self._stock.tensors
        with torch.no_grad():
            for name, parameter in self._policy.named_parameters():
                values = stock[name] if name in stock else self._tensor(name)
                if values.shape != tuple(parameter.shape):
                    raise CambiumError(
                        Code.bad_data, f"tensor '{name}' is {list(values.shape)}, expected {list(parameter.shape)}"
                    )
                parameter.copy_(torch.from_numpy(values.copy()))

    def _differs(self, what: str) -> CambiumError:
        return CambiumError(Code.incompatible, f"'{self._file.path}': {what}")


def _widths(parameters: Mapping[str, str]) -> tuple[int, ...]:
    text = parameters.get("widths", "[128]")
    try:
        widths = json.loads(text)
    except ValueError:
        widths = None
    if not isinstance(widths, list) or not all(type(one) is int and one > 0 for one in widths):
        raise CambiumError(Code.bad_data, f"widths are '{text}', expected a list of sizes")
    return tuple(widths)
