"""The tables of interfaces/schema that a controller and a command line need: field names and types, in order.

A test holds every row against the .fbs files, and what is read and written against flatc itself.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Union

#: FlatBuffers' word for a scalar, and how it lies in a message.
SCALARS = {
    "bool": struct.Struct("<?"),
    "ubyte": struct.Struct("<B"),
    "uint16": struct.Struct("<H"),
    "uint32": struct.Struct("<I"),
    "uint64": struct.Struct("<Q"),
    "int64": struct.Struct("<q"),
    "float": struct.Struct("<f"),
    "double": struct.Struct("<d"),
}


@dataclasses.dataclass(frozen=True)
class Struct:
    """Scalars side by side, without a table of offsets."""

    name: str
    fields: dict[str, str]

    @property
    def layout(self) -> struct.Struct:
        return struct.Struct("<" + "".join(SCALARS[one].format[1:] for one in self.fields.values()))


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; one with an identifier is a whole message."""

    name: str
    fields: dict[str, FieldType]
    identifier: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Optional:
    """A scalar that may be absent, which is not the same as 0."""

    of: str


@dataclasses.dataclass(frozen=True)
class TableList:
    of: Table


#: A scalar by its word, "string", "[float]", "[uint32]", "[ubyte]", "[string]", or one of the classes above.
FieldType = Union[str, Struct, Table, Optional, TableList]


HELLO = Table(
    "Hello",
    {"protocol": "uint32", "client": "string", "robot": "string", "embodiment": "string", "trunks": "[ubyte]"},
    b"CBHL",
)

JOINT = Table(
    "Joint",
    {
        "name": "string",
        "prismatic": "bool",
        "position_min": "double",
        "position_max": "double",
        "velocity_max": "double",
        "acceleration_max": "double",
        "home": "double",
    },
)
SENSOR = Table("Sensor", {"name": "string", "unit": "string", "frame": "string", "shape": "[uint32]"})
WELCOME = Table(
    "Welcome",
    {
        "robot_id": "uint32",
        "robot": "string",
        "embodiment": "string",
        "generation": "uint64",
        "body": "uint64",
        "joints": TableList(JOINT),
        "sensors": TableList(SENSOR),
        "action_kind": "uint32",
        "control_hz": "double",
        "horizon": "uint32",
        "shared_memory": "bool",
        "max_message_bytes": "uint32",
    },
    b"CBWL",
)

PLACE = Struct("Place", {"offset": "uint64", "sequence": "uint64", "size": "uint64"})
READING = Table("Reading", {"values": "[float]", "place": PLACE})
OBSERVATION = Table(
    "Observation",
    {
        "robot_id": "uint32",
        "body": "uint64",
        "sequence": "uint64",
        "time_ns": "int64",
        "want": "ubyte",
        "episode_start": "bool",
        "readings": TableList(READING),
        "same_task": "bool",
        "patience_ms": "uint32",
        "demonstrated": "[float]",
        "label": "[float]",
    },
    b"CBOB",
)
WANT_ACTION, WANT_CHUNK, WANT_CHUNK_OR_HOLD = range(3)

ACTION = Table(
    "Action",
    {
        "robot_id": "uint32",
        "sequence": "uint64",
        "generation": "uint64",
        "body": "uint64",
        "drive": "ubyte",
        "reason": "uint16",
        "limited": "uint64",
        "chunk_index": "uint32",
        "values": "[float]",
    },
    b"CBAC",
)

CHUNK = Table(
    "Chunk",
    {
        "robot_id": "uint32",
        "sequence": "uint64",
        "generation": "uint64",
        "body": "uint64",
        "horizon": "uint32",
        "dof": "uint32",
        "limited": "uint64",
        "values": "[float]",
        "trunk_compute_us": "float",
        "drive": "ubyte",
        "reason": "uint16",
    },
    b"CBCH",
)

NOTICE = Table(
    "Notice",
    {
        "code": "uint16",
        "text": "string",
        "robot_id": "uint32",
        "sequence": "uint64",
        "generation": "uint64",
        "body": "uint64",
    },
    b"CBNT",
)

MEMORY_OFFER = Table(
    "MemoryOffer", {"process": "uint32", "descriptor": "uint32", "bytes": "uint64", "token": "[ubyte]"}
)
MEMORY_ANSWER = Table("MemoryAnswer", {"code": "uint16", "text": "string"})
MEMORY = Table(
    "Memory",
    {"robot_id": "uint32", "sequence": "uint64", "offer": MEMORY_OFFER, "answer": MEMORY_ANSWER},
    b"CBSM",
)

ADMIN_REQUEST = Table(
    "AdminRequest",
    {
        "protocol": "uint32",
        "verb": "string",
        "robot": "string",
        "plugin": "string",
        "head_plugin": "string",
        "head": "string",
        "bundle": "string",
        "stem_plugin": "string",
        "embodiment": "string",
        "shadow": Optional("uint32"),
        "probation": Optional("uint32"),
        "shadow_bound": Optional("double"),
        "dry_run": "bool",
        "no_wait": "bool",
        "isolate": "bool",
        "stock": "string",
        "bundles": "[string]",
        "keep_old_s": "double",
        "fresh": "bool",
        "session": "string",
        "ticket": "uint64",
    },
)
ADMIN_REPLY = Table(
    "AdminReply", {"code": "uint16", "text": "string", "json": "string", "rows": "[float]", "begins": "[ubyte]"}
)
ADMIN = Table("Admin", {"request": ADMIN_REQUEST, "reply": ADMIN_REPLY}, b"CBAD")

MESSAGES = (HELLO, WELCOME, OBSERVATION, ACTION, CHUNK, NOTICE, MEMORY, ADMIN)
