"""Which stems and heads a policy has, from what was recorded and what the stock brings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Sequence

import torch

from cambium.learn.dataset import JOINTS, Dataset
from cambium.learn.demonstrations import F32
from cambium.learn.files import SHARED_HEAD, Stock
from cambium.learn.model import BodySpec, Policy, SharedHead, SharedStem, StemSpec, TrunkShape
from cambium.learn.recipe import Recipe
from cambium.status import CambiumError, Code


def completed(recipe: Recipe) -> Recipe:
    """With a joint head, joint_position is a shared sensor, the last one."""
    if recipe.head_kind != "joint":
        return recipe
    private = tuple(one for one in recipe.private_sensors if one != JOINTS)
    shared = (*(one for one in recipe.shared_sensors if one != JOINTS), JOINTS)
    return dataclasses.replace(recipe, private_sensors=private, shared_sensors=shared)


def policy_with(data: Sequence[Dataset], recipe: Recipe) -> tuple[Policy, list[int]]:
    """A policy that begins anew with all these bodies, and which of its bodies each dataset is of: with a shared
    head, datasets of the same sensors, dof and horizon are one body."""
    stems = []
    for sensor in recipe.shared_sensors:
        found = [one for dataset in data for one in dataset.inputs if one.sensor == sensor and one.shared]
        shapes = {() if one.of_joints else one.shape for one in found}
        if len(shapes) != 1:
            raise CambiumError(
                Code.incompatible,
                f"shared sensor '{sensor}' has {'several sizes' if shapes else 'no recording'} in the demonstrations; "
                "one stem needs it to be the same on every body",
            )
        stems.append(SharedStem(sensor, shapes.pop(), recipe.stem_widths))
    joint = recipe.head_kind == "joint"
    bodies: list[BodySpec] = []
    alike: dict[object, int] = {}
    of_body = []
    for one in data:
        key = _kind(one) if joint and all(read.shared for read in one.inputs) else one.embodiment
        if key not in alike:
            alike[key] = len(bodies)
            bodies.append(_new_body(one, recipe, joint))
        of_body.append(alike[key])
    head = SharedHead(_one_horizon(data), recipe.head_widths) if joint else None
    return Policy(TrunkShape(recipe.width, recipe.blocks, recipe.heads), stems, bodies, head), of_body


@dataclass
class Planted:
    """One body on a stock, before it has learned."""

    policy: Policy
    recipe: Recipe  #: as asked for, with the learning rate that suits how the head begins
    notes: list[str] = field(default_factory=list)


def plant(stock: Stock, data: Dataset, recipe: Recipe) -> Planted:
    """The stock's weights, and a body that begins anew; its head as the stock's ended, if that has one and the body's
    axes are described."""
    joints = data.chain is not None
    head = stock.shared_head if joints else None
    body = _new_body(data, recipe, joint=False)
    if head is not None:
        body = dataclasses.replace(body, head="joint", head_widths=head.widths)
    planted = Planted(Policy(stock.shape, stock.shared_stems, [body]), recipe)
    if not joints and any(not one.shape for one in stock.shared_stems):
        planted.notes.append(
            f"{data.embodiment}: its axes are not described, so joint_position has a stem of its own"
        )
    policy = planted.policy
    policy.begin(recipe.seed)
    with torch.no_grad():
        for name in policy.stock_names():
            policy.get_parameter(name).copy_(_tensor(stock, name, policy.get_parameter(name).shape))
        if head is not None and head.horizon != body.horizon:
            planted.notes.append(
                f"{data.embodiment}: its chunks have {body.horizon} actions, those of the stock's head {head.horizon}: "
                "the head begins anew"
            )
        elif head is not None:
            planted.recipe = dataclasses.replace(recipe, learning_rate=recipe.learning_rate * recipe.ready_head_rate)
            own = f"heads.{body.name}."
            for name, parameter in policy.layout():
                if name.startswith(own):
                    parameter.copy_(_tensor(stock, SHARED_HEAD + name[len(own) :], parameter.shape))
    for name in stock.tensors:
        if name not in policy.stock_names() and not name.startswith(SHARED_HEAD):
            raise CambiumError(Code.bad_data, f"'{stock.path}': tensor '{name}' has no place in this trunk")
    return planted


def _kind(data: Dataset) -> object:
    return tuple(one.sensor for one in data.inputs), data.demonstrations.dof, data.demonstrations.horizon


def _new_body(data: Dataset, recipe: Recipe, joint: bool) -> BodySpec:
    stems = tuple(StemSpec(one.sensor, one.size, one.shared, recipe.stem_widths, one.tokens) for one in data.inputs)
    d = data.demonstrations
    head = "joint" if joint else "mlp"
    return BodySpec(d.embodiment, stems, d.horizon, d.dof, head, recipe.head_widths, head_shared=joint)


def _one_horizon(data: Sequence[Dataset]) -> int:
    first = data[0].demonstrations
    for one in data:
        if one.demonstrations.horizon != first.horizon:
            raise CambiumError(
                Code.incompatible,
                f"chunks of {first.embodiment} have {first.horizon} actions, those of {one.embodiment} "
                f"{one.demonstrations.horizon}; one head needs them to be the same on every body",
            )
    return first.horizon


def _tensor(stock: Stock, name: str, shape: Sequence[int]) -> torch.Tensor:
    values: F32 | None = stock.tensors.get(name)
    if values is None:
        raise CambiumError(Code.bad_data, f"'{stock.path}': tensor '{name}' is missing")
    if values.shape != tuple(shape):
        raise CambiumError(
            Code.bad_data, f"'{stock.path}': tensor '{name}' is F32 {list(values.shape)}, expected {list(shape)}"
        )
    return torch.from_numpy(values.copy())
