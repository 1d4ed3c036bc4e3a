"""Which stems and heads a policy has, from what was recorded and what the stock brings."""

from __future__ import annotations

from typing import Sequence

import torch

from cambium.learn.dataset import JOINTS, Dataset
from cambium.learn.files import SHARED_HEAD, Stock
from cambium.learn.model import BodySpec, Policy, SharedHead, SharedStem, StemSpec, TrunkShape
from cambium.learn.recipe import Recipe
from cambium.status import CambiumError, Code


def policy_with(data: Sequence[Dataset], recipe: Recipe) -> tuple[Policy, list[int]]:
    """A policy that begins anew with all these bodies, and which of its bodies each dataset is of."""
    stems = []
    for sensor in recipe.shared_sensors:
        found = [one for dataset in data for one in dataset.inputs if one.sensor == sensor and one.shared]
        shapes = {() if one.sensor == JOINTS else one.shape for one in found}
        if len(shapes) != 1:
            raise CambiumError(
                Code.incompatible,
                f"shared sensor '{sensor}' has {'several sizes' if shapes else 'no recording'} in the demonstrations; one "
                "stem needs it to be the same on every body",
            )
        stems.append(SharedStem(sensor, shapes.pop(), recipe.stem_widths))
    bodies = [_body(one, recipe) for one in data]
    shape = TrunkShape(recipe.width, recipe.blocks, recipe.heads)
    return Policy(shape, stems, bodies), list(range(len(bodies)))


def policy_on(stock: Stock, data: Dataset, recipe: Recipe) -> Policy:
    """The stock's weights, and one body that begins anew; its head as the stock's ended, if that has one."""
    policy = Policy(stock.shape, stock.shared_stems, [_body(data, recipe)])
    policy.begin(recipe.seed)
    with torch.no_grad():
        for name in policy.stock_names():
            parameter = policy.get_parameter(name)
            tensor = stock.tensors.get(name)
            if tensor is None:
                raise CambiumError(Code.bad_data, f"'{stock.path}': tensor '{name}' is missing")
            if tensor.shape != tuple(parameter.shape):
                raise CambiumError(
                    Code.bad_data,
                    f"'{stock.path}': tensor '{name}' is F32 {list(tensor.shape)}, expected {list(parameter.shape)}",
                )
            parameter.copy_(torch.from_numpy(tensor.copy()))
    for name in stock.tensors:
        if name not in policy.stock_names() and not name.startswith(SHARED_HEAD):
            raise CambiumError(Code.bad_data, f"'{stock.path}': tensor '{name}' has no place in this trunk")
    return policy


def _body(data: Dataset, recipe: Recipe) -> BodySpec:
    stems = tuple(StemSpec(one.sensor, one.size, one.shared, recipe.stem_widths, one.tokens) for one in data.inputs)
    d = data.demonstrations
    return BodySpec(d.embodiment, stems, d.horizon, d.dof, head_widths=recipe.head_widths)
