"""Drive robots through a Cambium host, and look after the host.

import cambium

with cambium.Client("ipc:///run/user/1000/cambium/control", "left") as client:
    info = client.wait(2.0)
    ...
    client.set("joint_position", positions)   # (dof) [rad]
    reply = client.act(0.008)
    arm.move(reply.values if reply else still)
"""

from cambium.admin import Admin, AdminError, Report
from cambium.client import NEVER_SHARE, SHARE_FROM, Client
from cambium.endpoints import default_endpoint
from cambium.robot import (
    ActionKind,
    ActionReply,
    ChunkReply,
    ClientEvent,
    Drive,
    EventKind,
    JointInfo,
    JointKind,
    RobotInfo,
    SensorInfo,
)
from cambium.status import CambiumError, Code
from cambium.version import __version__

__all__ = [
    "NEVER_SHARE",
    "SHARE_FROM",
    "ActionKind",
    "ActionReply",
    "Admin",
    "AdminError",
    "CambiumError",
    "ChunkReply",
    "Client",
    "ClientEvent",
    "Code",
    "Drive",
    "EventKind",
    "JointInfo",
    "JointKind",
    "Report",
    "RobotInfo",
    "SensorInfo",
    "__version__",
    "default_endpoint",
]
