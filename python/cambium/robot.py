"""What a host says of a robot, and what it answers. Names and units as in interfaces/cambium/client.hpp."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np
from numpy.typing import NDArray

from cambium.status import CambiumError, Code


class JointKind(enum.IntEnum):
    revolute = 0
    prismatic = 1


class ActionKind(enum.IntEnum):
    """What the numbers of an action mean. One robot has one kind."""

    joint_velocity = 0  #: [rad/s] or [m/s], absolute
    joint_position = 1  #: [rad] or [m], absolute


class Drive(enum.IntEnum):
    """Who drives: the policy, a rung of the fallback ladder, or the controller's own demonstrator."""

    policy = 0
    waiting = 1
    hold = 2
    damped_stop = 3
    safe_pose = 4
    finish_chunk = 5  #: the policy is in trouble: what is left of its last chunk, then hold
    demonstration = 6  #: what `demonstrate()` was given, as the gate let it through
    unknown = 255  #: a rung that this version has no name for

    def __str__(self) -> str:
        return self.name.replace("_", " ")

    @classmethod
    def of(cls, number: int) -> Drive:
        return cls(number) if number in cls._value2member_map_ else cls.unknown


@dataclasses.dataclass(frozen=True)
class JointInfo:
    """One degree of freedom: [rad] if revolute, [m] if prismatic; per second where said."""

    name: str
    kind: JointKind
    position_min: float
    position_max: float
    velocity_max: float  #: magnitude, per second
    acceleration_max: float  #: magnitude, per second squared
    home: float


@dataclasses.dataclass(frozen=True)
class SensorInfo:
    """One reading of every observation."""

    name: str
    unit: str
    frame: str  #: "joint", or the frame that the numbers are in
    shape: tuple[int, ...]  #: row-major

    @property
    def size(self) -> int:
        """Numbers of one reading."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size


@dataclasses.dataclass(frozen=True)
class RobotInfo:
    """What the host said about the robot when it accepted us."""

    robot: str
    embodiment: str
    generation: int
    joints: tuple[JointInfo, ...]
    sensors: tuple[SensorInfo, ...]  #: an observation has one reading for each, in this order
    action: ActionKind
    control_hz: float  #: [Hz]
    horizon: int  #: rows of a chunk
    shared_memory: bool = False  #: large readings do not travel as bytes

    def sensor(self, name: str) -> SensorInfo | None:
        """The sensor of this name, if there is one."""
        return next((one for one in self.sensors if one.name == name), None)


class _Reply:
    """What both answers have in common: true if the host answered this observation."""

    code: Code
    _values: NDArray[np.float32] | None

    def __bool__(self) -> bool:
        return self.code is Code.ok

    def _answer(self) -> NDArray[np.float32]:
        # Not an empty array: that would broadcast to nothing, and the robot would keep its last command.
        if self._values is None:
            raise CambiumError(self.code, f"there is no answer: {self.code}; ask `if reply:` first")
        return self._values


@dataclasses.dataclass(frozen=True)
class ActionReply(_Reply):
    """The host's answer to one observation; yours to keep."""

    code: Code  #: ok: there are values; else why not, as in `act()`
    drive: Drive = Drive.waiting
    reason: Code = Code.ok  #: why the policy does not drive
    generation: int = 0
    limited: int = 0  #: bit j: the gate changed joint j
    _values: NDArray[np.float32] | None = dataclasses.field(default=None, repr=False)

    @property
    def values(self) -> NDArray[np.float32]:
        """(dof) f32, unit of `RobotInfo.action`; has passed the safety gate. CambiumError without an answer."""
        return self._answer()


@dataclasses.dataclass(frozen=True)
class ChunkReply(_Reply):
    """The host's answer to `infer()`; yours to keep."""

    code: Code  #: ok: there are values; else why not, as in `infer()`
    generation: int = 0
    trunk_compute_us: float = 0.0  #: [us] what the trunk spent on the batch of this request
    drive: Drive = Drive.policy  #: another: rows that keep the robot where it is, see `hold_chunks`
    reason: Code = Code.ok  #: why the policy does not drive
    _values: NDArray[np.float32] | None = dataclasses.field(default=None, repr=False)

    @property
    def values(self) -> NDArray[np.float32]:
        """(horizon, dof) f32, every row gated. CambiumError without an answer."""
        return self._answer()


class EventKind(enum.Enum):
    connected = 0  #: the host accepted us; `robot` is fresh
    disconnected = 1  #: no answer any more; reconnecting by itself
    refused = 2  #: the host said no; the text says why; trying again by itself
    drive_changed = 3  #: policy, waiting, hold, damped stop, safe pose
    generation_changed = 4  #: a swap, same body
    body_changed = 5  #: the slot now holds another embodiment: this controller no longer fits


@dataclasses.dataclass(frozen=True)
class ClientEvent:
    """Something a controller's user wants to know, in a sentence."""

    kind: EventKind
    text: str
