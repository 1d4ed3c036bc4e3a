"""Demonstrations as a policy sees them: normalised, split by episodes; number for number as core/learn/dataset.hpp."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Sequence

import numpy as np
from numpy.typing import NDArray

from cambium.learn import joint_chain
from cambium.learn.chance import chance, number_of
from cambium.learn.demonstrations import F32, Demonstrations, RecordedSensor
from cambium.learn.joint_chain import ChainSpec
from cambium.learn.recipe import Recipe
from cambium.nearest import did_you_mean
from cambium.status import CambiumError, Code

JOINTS = "joint_position"  #: a shared stem of this sensor makes a token of each joint

# Enough for a curve, a percent of the time.
_MOST_VALIDATION_ROWS = 256


@dataclass(frozen=True)
class Normaliser:
    """normalised = x * scale + offset, clamped if told so; one number for each of an observation's, or one for all."""

    scale: F32
    offset: F32
    clamp: float | None = None

    def normalise(self, x: F32) -> F32:
        """x (rows, size) or (rows, horizon, size)"""
        out = x * self.scale + self.offset
        return out if self.clamp is None else np.clip(out, np.float32(-self.clamp), np.float32(self.clamp))

    def unnormalise(self, x: F32) -> F32:
        return (x - self.offset) / self.scale


@dataclass
class DatasetInput:
    sensor: str
    shape: tuple[int, ...]  #: of one observation, as it was recorded
    shared: bool  #: means the same on every body
    of_joints: bool  #: values are features of one joint after the other, and each joint becomes a token
    values: F32  #: (rows, size) normalised; of joints (rows, dof, size)
    normaliser: Normaliser  #: of what was recorded

    @property
    def tokens(self) -> int:
        return self.values.shape[1] if self.of_joints else 1

    @property
    def size(self) -> int:
        """Numbers that its stem reads for one token."""
        return self.values.shape[-1]


@dataclass
class Dataset:
    """Rows of one embodiment."""

    demonstrations: Demonstrations  #: without which nobody knows whose rows these are
    inputs: list[DatasetInput]
    targets: F32  #: (rows, horizon, dof) normalised
    action: Normaliser
    training: NDArray[np.uint32]  #: rows
    validation: NDArray[np.uint32]
    chain: ChainSpec | None = None  #: if an input is its features
    left_out: list[str] = field(default_factory=list)  #: recorded sensors that the policy does not read

    @property
    def embodiment(self) -> str:
        return self.demonstrations.embodiment

    @property
    def digest(self) -> str:
        """SHA-256 of what is learned from, in hex."""
        sha = hashlib.sha256(self.embodiment.encode())
        sha.update(np.ascontiguousarray(self.training, "<u4"))
        for one in self.inputs:
            sha.update(np.ascontiguousarray(one.values, "<f4"))
        sha.update(np.ascontiguousarray(self.targets, "<f4"))
        return sha.hexdigest()


def make_dataset(
    d: Demonstrations, private_sensors: Sequence[str], shared_sensors: Sequence[str], recipe: Recipe
) -> Dataset:
    """Reads private_sensors and shared_sensors, in this order; the former must be there, of the latter at least one.

    Joint positions, and other private sensors whose limits were recorded, go from their limits to [-1, 1]; shared
    sensors are points, (x - home) / reach, or points with a flag, which stays as it is; a shared joint_position becomes
    what each joint can do from there; actions go by their limits. Never by the rows.
    """
    inputs: list[DatasetInput] = []
    for shared, names in ((False, private_sensors), (True, shared_sensors)):
        for name in names:
            sensor = d.sensors.get(name)
            if sensor is not None:
                inputs.append(_make_input(name, sensor, shared, d, recipe.clamp))
            elif not shared:
                raise CambiumError(
                    Code.not_found,
                    f"{d.embodiment}: no sensor '{name}' was recorded{did_you_mean(name, list(d.sensors))}",
                )
    if shared_sensors and not any(one.shared for one in inputs):
        wanted, there = "', '".join(shared_sensors), "', '".join(d.sensors)
        raise CambiumError(
            Code.not_found,
            f"{d.embodiment}: none of the shared sensors '{wanted}' was recorded (there are '{there}')",
        )
    training, validation = _split(d, recipe.validation)
    action = _action_normaliser(d)
    read = {one.sensor for one in inputs}
    return Dataset(
        demonstrations=d,
        inputs=inputs,
        targets=action.normalise(d.actions),
        action=action,
        training=training,
        validation=validation,
        chain=d.scale.chain if any(one.of_joints for one in inputs) else None,
        left_out=[name for name in d.sensors if name not in read],
    )


def min_max(low: Sequence[float], high: Sequence[float], clamp: float | None) -> Normaliser:
    """[low, high] becomes [-1, 1]."""
    below, above = np.asarray(low, np.float64), np.asarray(high, np.float64)
    scale = (2 / (above - below)).astype(np.float32)
    return Normaliser(scale, (-(above + below) / (above - below)).astype(np.float32), clamp)


def _action_normaliser(d: Demonstrations) -> Normaliser:
    if d.action_kind == "joint_position":
        return min_max(d.scale.position_min, d.scale.position_max, None)
    return min_max([-limit for limit in d.scale.velocity_max], d.scale.velocity_max, None)


def _make_input(name: str, sensor: RecordedSensor, shared: bool, d: Demonstrations, clamp: float) -> DatasetInput:
    if shared and name == JOINTS:
        return _joints_input(name, sensor, d, clamp)
    make = _shared_normaliser if shared else _private_normaliser
    normaliser = make(name, sensor, d, clamp)
    values = normaliser.normalise(sensor.values.reshape(d.rows, sensor.size))
    return DatasetInput(name, sensor.shape, shared, False, values, normaliser)


def _private_normaliser(name: str, sensor: RecordedSensor, d: Demonstrations, clamp: float) -> Normaliser:
    if sensor.low:
        return min_max(sensor.low, sensor.high, clamp)
    if name == JOINTS and sensor.size == d.dof:
        return min_max(d.scale.position_min, d.scale.position_max, clamp)
    raise CambiumError(
        Code.incompatible,
        f"{d.embodiment}: sensor '{name}' of {list(sensor.shape)} cannot be private: only joint_position of [{d.dof}] "
        "and sensors with sensor_limits have limits to normalise by",
    )


def _shared_normaliser(name: str, sensor: RecordedSensor, d: Demonstrations, clamp: float) -> Normaliser:
    row = sensor.shape[-1]  # of 3: a point; of 4: a point with a flag
    if row not in (3, 4):
        raise CambiumError(
            Code.incompatible,
            f"{d.embodiment}: sensor '{name}' of {list(sensor.shape)} cannot be shared: only points [3] in the base "
            "frame, and points with a flag [4], mean the same on every body",
        )
    scale, offset = np.ones(row, np.float32), np.zeros(row, np.float32)
    scale[:3] = 1 / d.scale.reach
    offset[:3] = -np.asarray(d.scale.home_tool, np.float64) / d.scale.reach
    rows = sensor.size // row
    return Normaliser(np.tile(scale, rows), np.tile(offset, rows), clamp)


def _joints_input(name: str, sensor: RecordedSensor, d: Demonstrations, clamp: float) -> DatasetInput:
    chain = d.scale.chain
    if chain is None:
        raise CambiumError(
            Code.incompatible,
            f"{d.embodiment}: joint_position cannot be shared: the demonstrations have no joint_chain, which its "
            "embodiment's axes would have given them",
        )
    if sensor.size != d.dof:
        raise CambiumError(
            Code.incompatible,
            f"{d.embodiment}: joint_position has {sensor.size} numbers and the joint_chain {len(chain.joints)} joints, "
            f"dof is {d.dof}",
        )
    normaliser = min_max(d.scale.position_min, d.scale.position_max, clamp)
    values = joint_chain.features(chain, sensor.values.reshape(d.rows, d.dof))
    return DatasetInput(name, sensor.shape, True, True, values, normaliser)


def _split(d: Demonstrations, share: float) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Held-out episodes are drawn, not spaced: recorders like to alternate clean and noisy ones."""
    episodes = d.episodes
    order = np.argsort(chance(number_of("held out"), np.arange(episodes, dtype=np.uint64)), kind="stable")
    count = int(np.floor(share * episodes + 0.5))
    if share > 0:
        count = max(count, 1)
    count = min(count, episodes - 1)  # something must be left to learn from
    held = np.zeros(episodes, bool)
    held[order[:count]] = True
    of_held = np.repeat(held, np.diff(d.episode_start))
    rows = np.arange(d.rows, dtype=np.uint32)
    return rows[~of_held], spaced(rows[of_held], _MOST_VALIDATION_ROWS)


def spaced(rows: NDArray[np.uint32], most: int) -> NDArray[np.uint32]:
    """At most `most` of them, from all over."""
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]
