"""A Welcome as a RobotInfo, if it describes a robot at all."""

from __future__ import annotations

import math
from typing import Any

from cambium.robot import ActionKind, JointInfo, JointKind, RobotInfo, SensorInfo

_MOST_SENSORS = 64  # a host has no more
_MOST_DIMENSIONS = 4  # as SensorSpec
_MOST_NUMBERS = 1 << 40  # of a reading: nobody sets so many


def robot_of(message: dict[str, Any]) -> RobotInfo | None:
    """None if no controller could do anything with it."""
    joints, sensors = message["joints"], message["sensors"]
    if not joints or not sensors or len(sensors) > _MOST_SENSORS:
        return None
    if not (math.isfinite(message["control_hz"]) and message["control_hz"] > 0):
        return None
    if message["action_kind"] not in list(ActionKind):
        return None
    if any(one["shape"] is not None and len(one["shape"]) > _MOST_DIMENSIONS for one in sensors):
        return None
    described = tuple(_sensor(one) for one in sensors)
    if any(one.size > _MOST_NUMBERS for one in described):
        return None
    return RobotInfo(
        robot=message["robot"],
        embodiment=message["embodiment"],
        generation=message["generation"],
        joints=tuple(_joint(one) for one in joints),
        sensors=described,
        action=ActionKind(message["action_kind"]),
        control_hz=message["control_hz"],
        horizon=message["horizon"],
    )


def _joint(joint: dict[str, Any]) -> JointInfo:
    return JointInfo(
        name=joint["name"],
        kind=JointKind.prismatic if joint["prismatic"] else JointKind.revolute,
        position_min=joint["position_min"],
        position_max=joint["position_max"],
        velocity_max=joint["velocity_max"],
        acceleration_max=joint["acceleration_max"],
        home=joint["home"],
    )


def _sensor(sensor: dict[str, Any]) -> SensorInfo:
    shape = () if sensor["shape"] is None else tuple(int(one) for one in sensor["shape"])
    return SensorInfo(sensor["name"], sensor["unit"], sensor["frame"], shape)
