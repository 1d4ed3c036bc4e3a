"""What an expert did on one embodiment, as data and as a file (docs/files.md): read, checked and written as
core/learn/demonstrations.hpp does."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambium.learn.fields import Fields
from cambium.learn.joint_chain import ChainSpec
from cambium.nearest import did_you_mean
from cambium.safetensors import SafetensorsFile, read_safetensors, write_safetensors
from cambium.status import CambiumError, Code

F32 = NDArray[np.float32]

ACTION_KINDS = ("joint_velocity", "joint_position")
_MOST = 4096
_PREFIX = "sensor."


@dataclass
class EmbodimentScale:
    """What turns a body's numbers into comparable ones."""

    joint_names: list[str]
    position_min: list[float]  #: [rad] or [m]  (dof)
    position_max: list[float]  #: (dof), > position_min
    velocity_max: list[float]  #: per second (dof), > 0
    home_tool: tuple[float, float, float] = (0.0, 0.0, 0.0)  #: p_BH [m] tool at home, in the base frame
    reach: float = 1.0  #: [m] > 0
    chain: ChainSpec | None = None  #: the same with the axes of its joints; None if they are not described


@dataclass
class RecordedSensor:
    values: F32  #: (rows, …shape), SI units
    low: list[float] = field(default_factory=list)  #: between which its numbers lie, (size) each or empty
    high: list[float] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape[1:]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass
class Demonstrations:
    """Episodes of one embodiment, one after the other; a row is a tick."""

    embodiment: str
    action_kind: str
    control_hz: float  #: [Hz]
    horizon: int  #: actions in a chunk
    dof: int  #: numbers in an action
    scale: EmbodimentScale
    episode_start: NDArray[np.int64]  #: (episodes + 1) first rows, then the number of rows
    sensors: dict[str, RecordedSensor]
    actions: F32  #: (rows, horizon, dof) what the expert would do in the `horizon` ticks from there on

    @property
    def rows(self) -> int:
        return int(self.episode_start[-1])

    @property
    def episodes(self) -> int:
        return len(self.episode_start) - 1

    def check(self) -> None:
        """Sizes agree, episodes are in order and none is empty, everything is finite, scales make sense."""
        if not self.embodiment:
            raise _bad("embodiment is empty")
        if self.horizon < 1 or self.dof < 1:
            raise _bad(f"horizon is {self.horizon} and dof {self.dof}, expected at least 1")
        if not 0 < self.control_hz < math.inf:
            raise _bad(f"control_hz is {self.control_hz}, expected more than 0")
        if self.action_kind not in ACTION_KINDS:
            raise _bad(f"action_kind is '{self.action_kind}'{did_you_mean(self.action_kind, ACTION_KINDS)}")
        _check_scale(self.scale, self.dof)
        _check_episodes(self.episode_start)
        if not self.sensors:
            raise _bad("no sensor was recorded")
        for name, sensor in self.sensors.items():
            if sensor.values.ndim < 2 or sensor.size == 0 or len(sensor.values) != self.rows:
                shape = list(sensor.values.shape)
                raise _bad(f"{_PREFIX}{name} has shape {shape}, expected {self.rows} rows of some numbers")
            _check_finite(_PREFIX + name, sensor.values)
            _check_limits(name, sensor)
        if self.actions.shape != (self.rows, self.horizon, self.dof):
            expected = [self.rows, self.horizon, self.dof]
            raise _bad(f"action has shape {list(self.actions.shape)}, expected {expected}")
        _check_finite("action", self.actions)


def read_demonstrations(path: str | os.PathLike[str]) -> Demonstrations:
    """Errors name the file."""
    file = read_safetensors(path)
    try:
        demonstrations = _parse(file)
        demonstrations.check()
    except CambiumError as error:
        raise _in_file(file.path, error) from None
    return demonstrations


def write_demonstrations(path: str | os.PathLike[str], d: Demonstrations) -> None:
    try:
        d.check()
    except CambiumError as error:
        raise _in_file(os.fspath(path), error) from None
    metadata = {
        "cambium.kind": "demonstrations",
        "embodiment": d.embodiment,
        "action_kind": d.action_kind,
        "control_hz": json.dumps(float(d.control_hz)),
        "horizon": str(d.horizon),
        "dof": str(d.dof),
        "joint_names": json.dumps(d.scale.joint_names, ensure_ascii=False),
        "position_min": json.dumps(d.scale.position_min),
        "position_max": json.dumps(d.scale.position_max),
        "velocity_max": json.dumps(d.scale.velocity_max),
        "home_tool": json.dumps(list(d.scale.home_tool)),
        "reach": json.dumps(d.scale.reach),
    }
    if d.scale.chain is not None:
        metadata["joint_chain"] = d.scale.chain.to_text()
    limits = {name: {"min": one.low, "max": one.high} for name, one in d.sensors.items() if one.low}
    if limits:
        metadata["sensor_limits"] = json.dumps(limits)
    tensors: dict[str, NDArray[Any]] = {
        "episode_start": np.asarray(d.episode_start, "<i8"),
        "action": np.asarray(d.actions, "<f4"),
        **{_PREFIX + name: np.asarray(one.values, "<f4") for name, one in d.sensors.items()},
    }
    write_safetensors(path, tensors, dict(sorted(metadata.items())))


def _parse(file: SafetensorsFile) -> Demonstrations:
    fields = Fields.of(file)
    fields.one_of("cambium.kind", ["demonstrations"])
    embodiment = fields.text("embodiment")
    action_kind = fields.one_of("action_kind", ACTION_KINDS)
    control_hz = fields.number("control_hz")
    horizon = fields.count("horizon", 1, _MOST)
    dof = fields.count("dof", 1, _MOST)
    names = fields.texts("joint_names")
    position_min, position_max = fields.numbers("position_min"), fields.numbers("position_max")
    velocity_max = fields.numbers("velocity_max")
    home = fields.numbers("home_tool")
    if len(home) != 3:
        raise fields.fail("home_tool", f"has {len(home)} numbers, expected 3")
    scale = EmbodimentScale(
        names, position_min, position_max, velocity_max, (home[0], home[1], home[2]), fields.number("reach")
    )
    if fields.has("joint_chain"):
        try:
            scale.chain = ChainSpec.from_text(fields.text("joint_chain"))
        except CambiumError as error:
            raise fields.fail("joint_chain", str(error)) from None
    limits = fields.object("sensor_limits") if fields.has("sensor_limits") else {}
    fields.finish()

    sensors: dict[str, RecordedSensor] = {}
    start = file.tensors.get("episode_start")
    if start is None or start.dtype[0] not in "IU" or len(start.shape) != 1:
        raise _bad("tensor 'episode_start' is missing, or not a list of integers")
    episode_start = start.values.astype(np.int64)
    _check_episodes(episode_start)
    rows = int(episode_start[-1])
    actions: F32 | None = None
    for name, tensor in file.tensors.items():
        if name == "episode_start":
            continue
        if not name.startswith(_PREFIX) and name != "action":
            raise _bad(f"tensor '{name}' is not known{did_you_mean(name, ['episode_start', 'action', _PREFIX])}")
        if tensor.dtype != "F32":
            raise _bad(f"tensor '{name}' is {tensor.dtype}, expected F32")
        if not tensor.shape or tensor.shape[0] != rows:
            raise _bad(f"tensor '{name}' has shape {list(tensor.shape)}, episode_start says {rows} rows")
        if name == "action":
            actions = tensor.values
        else:
            sensors[name[len(_PREFIX) :]] = RecordedSensor(tensor.values)
    if actions is None:
        raise _bad(f"no tensor 'action'{did_you_mean('action', list(file.tensors))}")
    for name, value in limits.items():
        one = Fields(value, f"sensor_limits of '{name}'")
        low, high = one.numbers("min"), one.numbers("max")
        one.finish()
        if name not in sensors:
            raise _bad(f"sensor_limits of '{name}', which was not recorded")
        sensors[name].low, sensors[name].high = low, high
    return Demonstrations(
        embodiment, action_kind, control_hz, horizon, dof, scale, episode_start, sensors, actions
    )


def _check_scale(scale: EmbodimentScale, dof: int) -> None:
    for name in ("joint_names", "position_min", "position_max", "velocity_max"):
        if len(getattr(scale, name)) != dof:
            raise _bad(f"{name} has {len(getattr(scale, name))} entries, dof is {dof}")
    for joint, low, high, speed in zip(
        scale.joint_names, scale.position_min, scale.position_max, scale.velocity_max
    ):
        if not high > low:
            raise _bad(f"position_max of joint '{joint}' is {high}, not above its position_min {low}")
        if not speed > 0:
            raise _bad(f"velocity_max of joint '{joint}' is {speed}, expected more than 0")
    if not scale.reach > 0:
        raise _bad(f"reach is {scale.reach}, expected more than 0")
    _check_chain(scale, dof)


def _check_chain(scale: EmbodimentScale, dof: int) -> None:
    """The chain says again what the scale says; a file in which the two differ has no one meaning."""
    chain = scale.chain
    if chain is None:
        return
    chain.check()
    if len(chain.joints) != dof:
        raise _bad(f"joint_chain has {len(chain.joints)} joints, dof is {dof}")
    for i, joint in enumerate(chain.joints):
        here = (joint.position_min, joint.position_max, joint.velocity_max)
        there = (scale.position_min[i], scale.position_max[i], scale.velocity_max[i])
        if here != there:
            raise _bad(
                f"joint_chain has other limits for joint '{scale.joint_names[i]}' {here} than position_min, "
                f"position_max and velocity_max {there}"
            )
    if chain.home_tool != tuple(scale.home_tool) or chain.reach != scale.reach:
        raise _bad("joint_chain has another home_tool or reach than the file")


def _check_episodes(start: NDArray[np.int64]) -> None:
    if len(start) < 2 or start[0] != 0:
        raise _bad("episode_start must begin with 0 and have one entry more than there are episodes")
    wrong = np.flatnonzero(np.diff(start) <= 0)
    if len(wrong):
        i = int(wrong[0]) + 1
        raise _bad(f"episode_start[{i}] is {start[i]}, not above {start[i - 1]} before it")


def _check_limits(name: str, sensor: RecordedSensor) -> None:
    if not sensor.low and not sensor.high:
        return
    if len(sensor.low) != sensor.size or len(sensor.high) != sensor.size:
        sizes = f"{len(sensor.low)} and {len(sensor.high)}"
        raise _bad(f"sensor_limits of '{name}' have {sizes} numbers, expected {sensor.size}")
    for i, (low, high) in enumerate(zip(sensor.low, sensor.high)):
        if not high > low:
            raise _bad(f"sensor_limits of '{name}': number {i} ends at {high}, not above its begin {low}")


def _check_finite(name: str, values: F32) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise _bad(f"{name} holds {values[row][~finite[row]].flat[0]} in row {row}")


def _bad(what: str) -> CambiumError:
    return CambiumError(Code.bad_data, what)


def _in_file(path: str, error: CambiumError) -> CambiumError:
    named = str(error).startswith(f"'{path}'")
    return error if named else CambiumError(error.code, f"'{path}': {error}")
