"""An arm as the lines that its joints turn about, and what each joint can do from a posture: the numbers of
core/nn/joint_chain.hpp, for many postures at once."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambium.status import CambiumError, Code

F64 = NDArray[np.float64]

FEATURES = 10  #: numbers of one joint
TIME = 0.3  #: [s]
_SPEED = 4.0  # [rad/s] or [m/s] puts velocity_max near 1 on arms
_UNIT = 1e-6
_MOST_JOINTS = 64
_HEAD, _JOINT = 4, 11  # numbers before and in a joint


@dataclass(frozen=True)
class ChainJoint:
    """One joint of a serial chain, base to tool; [rad] or [m]."""

    slides: bool  #: prismatic
    point: tuple[float, float, float]  #: p_BJ [m] of its line, with every joint at home
    direction: tuple[float, float, float]  #: unit, with every joint at home
    home: float
    position_min: float
    position_max: float
    velocity_max: float  #: per second

    def numbers(self) -> list[float]:
        return [*self.point, *self.direction, self.home, self.position_min, self.position_max, self.velocity_max]


@dataclass(frozen=True)
class ChainSpec:
    joints: tuple[ChainJoint, ...]
    home_tool: tuple[float, float, float]  #: p_BH [m] tool at home
    reach: float  #: [m]

    def to_text(self) -> str:
        """A JSON list of numbers: home_tool, reach, then for each joint slides (0 or 1), point, direction, home,
        position_min, position_max, velocity_max."""
        numbers: list[str] = [shortest(one) for one in (*self.home_tool, self.reach)]
        for joint in self.joints:
            numbers += ["1" if joint.slides else "0", *(shortest(one) for one in joint.numbers())]
        return f"[{','.join(numbers)}]"

    @classmethod
    def from_text(cls, text: str) -> ChainSpec:
        """CambiumError (bad data) says which number is wrong."""
        try:
            numbers = json.loads(text)
        except (ValueError, RecursionError):
            raise _bad("a chain of joints is a list of numbers, expected '['") from None
        if not isinstance(numbers, list):
            raise _bad("a chain of joints is a list of numbers, expected '['")
        for i, one in enumerate(numbers):
            if type(one) not in (int, float) or not math.isfinite(one):
                raise _bad(f"number {i} of the list is not a number")
        if len(numbers) <= _HEAD or (len(numbers) - _HEAD) % _JOINT != 0:
            raise _bad(f"the list has {len(numbers)} numbers, expected {_HEAD} and {_JOINT} for each joint")
        joints = []
        for i in range(_HEAD, len(numbers), _JOINT):
            slides, *rest = numbers[i : i + _JOINT]
            if slides not in (0, 1):
                raise _bad(f"joint {len(joints)}: slides is {slides}, expected 0 or 1")
            values = [float(one) for one in rest]
            joints.append(ChainJoint(slides == 1, _triple(values[:3]), _triple(values[3:6]), *values[6:]))
        spec = cls(tuple(joints), _triple([float(one) for one in numbers[:3]]), float(numbers[3]))
        spec.check()
        return spec

    def check(self) -> None:
        if not 1 <= len(self.joints) <= _MOST_JOINTS:
            raise _bad(f"{len(self.joints)} joints, expected 1 to {_MOST_JOINTS}")
        if not all(math.isfinite(one) for one in self.home_tool):
            raise _bad("home_tool is not finite")
        if not 0 < self.reach < math.inf:
            raise _bad(f"reach {self.reach} is not a positive length in metres")
        for i, joint in enumerate(self.joints):
            for field in fields(joint):
                if not np.isfinite(getattr(joint, field.name)).all():
                    raise _bad(f"joint {i}: {field.name} is not finite")
            length = math.hypot(*joint.direction)
            if abs(length - 1) > _UNIT:
                raise _bad(f"joint {i}: direction has length {length}, expected 1")
            if joint.position_min >= joint.position_max:
                raise _bad(
                    f"joint {i}: position_min {joint.position_min} is not below position_max {joint.position_max}"
                )
            if not joint.position_min <= joint.home <= joint.position_max:
                raise _bad(
                    f"joint {i}: home {joint.home} lies outside {joint.position_min} to {joint.position_max}"
                )
            if joint.velocity_max <= 0:
                raise _bad(f"joint {i}: velocity_max {joint.velocity_max} is not above 0")


def features(spec: ChainSpec, q: NDArray[Any]) -> NDArray[np.float32]:
    """What each joint can do from there, as core/nn/joint_chain.hpp lists it.

    q  [rad] or [m]  (rows, dof)
    gives  [1]  (rows, dof, FEATURES)
    """
    q = np.asarray(q, np.float64)
    rows = len(q)
    turn = np.broadcast_to(np.eye(3), (rows, 3, 3))  # how the base side has moved space so far
    shift = np.zeros((rows, 3))
    lines: list[tuple[F64, F64]] = []
    for i, joint in enumerate(spec.joints):
        point = turn @ np.array(joint.point) + shift
        direction = turn @ np.array(joint.direction)
        lines.append((point, direction))
        way = q[:, i] - joint.home
        if joint.slides:
            shift = shift + direction * way[:, None]
        else:
            about = _rotation(direction, way)
            turn = about @ turn
            shift = point + (about @ (shift - point)[:, :, None])[:, :, 0]
    tool = turn @ np.array(spec.home_tool) + shift

    out = np.empty((rows, len(spec.joints), FEATURES), np.float32)
    for i, (joint, (point, direction)) in enumerate(zip(spec.joints, lines)):
        velocity = direction if joint.slides else np.cross(direction, tool - point)
        full = joint.velocity_max * TIME
        out[:, i, 0:3] = velocity * joint.velocity_max / spec.reach * TIME
        out[:, i, 3:6] = direction
        out[:, i, 6] = np.clip((joint.home - q[:, i]) / full, -3, 3)
        out[:, i, 7] = np.clip((joint.position_max - q[:, i]) / full, 0, 1)
        out[:, i, 8] = np.clip((q[:, i] - joint.position_min) / full, 0, 1)
        out[:, i, 9] = joint.velocity_max / _SPEED
    return out


def shortest(number: float) -> str:
    """The fewest digits that read the same, without a point where there is nothing behind it."""
    text = repr(float(number))
    return text[:-2] if text.endswith(".0") else text


def _rotation(axis: F64, angle: F64) -> F64:
    """Rodrigues' formula: (rows, 3), (rows) to (rows, 3, 3)."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    across = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    s, c = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    rotation: F64 = c * np.eye(3) + s * across + (1 - c) * axis[:, :, None] * axis[:, None, :]
    return rotation


def _triple(values: list[float]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]


def _bad(what: str) -> CambiumError:
    return CambiumError(Code.bad_data, what)
