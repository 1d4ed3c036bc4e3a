"""The messages: schema.py against the .fbs files, reader and writer against flatc, and against bytes of nobody."""

from __future__ import annotations

import json
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import numpy as np

from cambium._wire import schema
from cambium._wire.reader import Malformed, read
from cambium._wire.welcome import robot_of
from cambium._wire.writer import write
from cambium.status import Code
from tests.tree import SCHEMA

FILES = {
    "Hello": "hello",
    "Welcome": "welcome",
    "Observation": "observation",
    "Action": "action",
    "Chunk": "chunk",
    "Notice": "notice",
    "Memory": "memory",
    "Admin": "admin",
}

#: A message of each kind with every field set, as JSON of flatc and as what Python writes.
SAMPLES: dict[str, dict[str, Any]] = {
    "Hello": {"protocol": 1, "client": "größer, pid 7", "robot": "left", "embodiment": "panda7", "trunks": [1, 2, 255]},
    "Welcome": {
        "robot_id": 4,
        "robot": "left",
        "embodiment": "panda7",
        "generation": 2**40,
        "body": 9,
        "joints": [
            {"name": "a", "prismatic": True, "position_min": -1.5, "position_max": 1.5, "velocity_max": 2.0,
             "acceleration_max": 20.0, "home": 0.25},
            {"name": "b", "position_max": 1.0},
        ],
        "sensors": [
            {"name": "joint_position", "unit": "rad", "frame": "joint", "shape": [2]},
            {"name": "camera", "unit": "1", "frame": "camera", "shape": [4, 6, 3]},
        ],
        "action_kind": 1,
        "control_hz": 100.0,
        "horizon": 8,
        "shared_memory": True,
        "max_message_bytes": 262144,
    },
    "Observation": {
        "robot_id": 4,
        "body": 9,
        "sequence": 2**63,
        "time_ns": -5,
        "want": 2,
        "episode_start": True,
        "readings": [{"values": [1.0, -2.5]}, {"place": {"offset": 64, "sequence": 2, "size": 72}}],
        "same_task": True,
        "patience_ms": 875,
        "demonstrated": [0.5, -0.5],
        "label": [0.25, -0.25],
    },
    "Action": {"robot_id": 4, "sequence": 7, "generation": 3, "body": 9, "drive": 5, "reason": 2, "limited": 6,
               "chunk_index": 3, "values": [0.5, -0.25]},
    "Chunk": {"robot_id": 4, "sequence": 7, "generation": 3, "body": 9, "horizon": 2, "dof": 2, "limited": 1,
              "values": [0.5, -0.25, 1.0, 2.0], "trunk_compute_us": 12.5, "drive": 2, "reason": 11},
    "Notice": {"code": 3, "text": "busy", "robot_id": 4, "sequence": 7, "generation": 3, "body": 9},
    "Memory": {"robot_id": 4, "sequence": 1, "offer": {"process": 70, "descriptor": 9, "bytes": 4096,
               "token": list(range(16))}, "answer": {"code": 10, "text": "another machine"}},
    "Admin": {
        "request": {"protocol": 1, "verb": "trunk-swap", "robot": "left", "plugin": "/p", "head_plugin": "/h",
                    "head": "mlp", "bundle": "/b", "stem_plugin": "/s", "embodiment": "e", "shadow": 0,
                    "probation": 5, "shadow_bound": 0.5, "dry_run": True, "no_wait": True, "isolate": True,
                    "stock": "/t", "bundles": ["left=/a", "right=/b"], "keep_old_s": 1.5, "fresh": True,
                    "session": "s", "ticket": 2**50},
        "reply": {"code": 11, "text": "no", "json": "{}", "rows": [0.5, 1.5], "begins": [1, 0]},
    },
}  # fmt: skip


def comparable(value: Any) -> Any:
    """Without what is absent: flatc writes no defaults, the reader fills them in."""
    if isinstance(value, dict):
        return {key: comparable(one) for key, one in value.items() if one is not None and comparable(one) not in
                (False, 0, "", {}) or key in ("shadow", "probation", "shadow_bound") and one is not None}  # fmt: skip
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [comparable(one) for one in value] if isinstance(value, list) else value


class Schema(unittest.TestCase):
    def test_every_table_has_the_fields_of_its_fbs_file_in_their_order(self) -> None:
        enums = {"Want", "Drive"}
        seen = 0
        for message in schema.MESSAGES:
            text = re.sub(r"//.*", "", (SCHEMA / f"{FILES[message.name]}.fbs").read_text())
            assert message.identifier is not None
            self.assertIn(f'file_identifier "{message.identifier.decode()}";', text)
            self.assertIn(f"root_type {message.name};", text)
            for table in tables_of(message):
                body = re.search(rf"\b(?:table|struct)\s+{table.name}\s*{{([^}}]*)}}", text)
                assert body is not None, f"{table.name} in {FILES[message.name]}.fbs"
                fields = re.findall(r"(\w+)\s*:\s*([\[\]\w]+)\s*(=\s*null)?", body[1])
                expected = [(name, "ubyte" if kind in enums else kind, bool(null)) for name, kind, null in fields]
                self.assertEqual([described(name, kind) for name, kind in table.fields.items()], expected, table.name)
                seen += 1
        self.assertEqual(seen, 16)

    def test_what_python_writes_is_what_flatc_reads(self) -> None:
        for message in schema.MESSAGES:
            written = write(message, SAMPLES[message.name])
            self.assertEqual(by_flatc(message, written), with_names(message, SAMPLES[message.name]))

    def test_what_flatc_writes_is_what_python_reads(self) -> None:
        for message in schema.MESSAGES:
            sample = SAMPLES[message.name]
            self.assertEqual(comparable(read(from_flatc(message, sample), message)), comparable(sample), message.name)

    def test_an_empty_message_has_defaults(self) -> None:
        empty = read(write(schema.ACTION, {}), schema.ACTION)
        self.assertEqual((empty["sequence"], empty["values"]), (0, None))
        request = read(write(schema.ADMIN, {"request": {}}), schema.ADMIN)["request"]
        self.assertEqual((request["shadow"], request["verb"], request["dry_run"]), (None, "", False))

    def test_a_field_that_the_schema_does_not_have_is_refused(self) -> None:
        with self.assertRaisesRegex(KeyError, "Action has no field 'speed'"):
            write(schema.ACTION, {"speed": 1})


class HostileBytes(unittest.TestCase):
    def test_every_cut_and_every_changed_byte_is_read_or_malformed(self) -> None:
        """Nothing else is raised, and nothing is taken for a robot that is none."""
        for message in schema.MESSAGES:
            sound = write(message, SAMPLES[message.name])
            for cut in range(len(sound)):
                self.attempt(sound[:cut], message)
            for at in range(len(sound)):
                for value in (0, 1, 0x7F, 0x80, 0xFF):
                    self.attempt(sound[:at] + bytes([value]) + sound[at + 1 :], message)

    def test_random_changes_are_read_or_malformed(self) -> None:
        chance = random.Random(7)
        refused = 0
        for message in schema.MESSAGES:
            sound = write(message, SAMPLES[message.name])
            for _ in range(1500):
                changed = bytearray(sound)
                for _ in range(chance.randint(1, 8)):
                    at = chance.randrange(0, len(changed) - 4)
                    word = chance.choice([chance.getrandbits(32), 0, 1, 4, 0xFFFFFFFF, 0x80000000, len(changed)])
                    changed[at : at + 4] = struct.pack("<I", word)
                refused += not self.attempt(bytes(changed), message)
        self.assertGreater(refused, 1000)

    def test_random_bytes_with_a_name_are_read_or_malformed(self) -> None:
        chance = random.Random(8)
        for message in schema.MESSAGES:
            assert message.identifier is not None
            for _ in range(500):
                body = chance.randbytes(chance.randint(0, 200))
                self.attempt(struct.pack("<I", chance.randrange(8, 64)) + message.identifier + body, message)

    def test_a_small_message_cannot_name_its_bytes_twice(self) -> None:
        """1,000 texts that are all the same 4 KB would be 4 MB."""
        texts = ["x"] * 1000 + ["long" * 1000]
        message = bytearray(write(schema.ADMIN, {"request": {"bundles": texts}}))
        self.assertEqual(read(bytes(message), schema.ADMIN)["request"]["bundles"], texts)
        first = message.index(struct.pack("<I", len(texts))) + 4
        long = message.index(struct.pack("<I", 4000) + b"long")
        for at in range(first, first + 4 * len(texts), 4):
            message[at : at + 4] = struct.pack("<I", long - at)
        with self.assertRaisesRegex(Malformed, "overlap"):
            read(bytes(message), schema.ADMIN)

    def test_a_welcome_without_a_robot_is_none(self) -> None:
        whole = read(write(schema.WELCOME, SAMPLES["Welcome"]), schema.WELCOME)
        self.assertIsNotNone(robot_of(whole))
        for wrong in (
            {"joints": []},
            {"sensors": None},
            {"control_hz": float("nan")},
            {"control_hz": 0.0},
            {"action_kind": 7},
            {"sensors": [{"name": "x", "unit": "", "frame": "", "shape": np.full(4, 2**31)}]},
            {"sensors": [{"name": "x", "unit": "", "frame": "", "shape": np.ones(5)}]},
            {"sensors": [{"name": "x", "unit": "", "frame": "", "shape": None}] * 65},
        ):
            self.assertIsNone(robot_of({**whole, **wrong}), wrong)

    def attempt(self, message: bytes, kind: schema.Table) -> bool:
        try:
            values = read(message, kind)
        except Malformed:
            return False
        self.assertEqual(list(values), list(kind.fields))
        if kind is schema.WELCOME:
            robot_of(values)
        Code.of(values.get("reason", 0))
        return True


def tables_of(table: Any) -> list[Any]:
    """A table and all that it holds."""
    found = [table]
    for kind in table.fields.values():
        inner = kind.of if isinstance(kind, schema.TableList) else kind
        if isinstance(inner, (schema.Table, schema.Struct)):
            found += tables_of(inner)
    return found


def described(name: str, kind: Any) -> tuple[str, str, bool]:
    if isinstance(kind, schema.Optional):
        return name, kind.of, True
    if isinstance(kind, schema.TableList):
        return name, f"[{kind.of.name}]", False
    return name, kind if isinstance(kind, str) else kind.name, False


NAMES = {"want": ["action", "chunk", "chunk_or_hold"]}
NAMES["drive"] = ["policy", "waiting", "hold", "damped_stop", "safe_pose", "finish_chunk", "demonstration"]


def with_names(message: schema.Table, sample: dict[str, Any]) -> dict[str, Any]:
    """flatc writes enums by name; in Chunk the drive is a plain number."""
    named = dict(sample)
    for field in NAMES:
        if field in named and not (message.name == "Chunk" and field == "drive"):
            named[field] = NAMES[field][named[field]]
    return named


def flatc(message: schema.Table, option: list[str], file: Path) -> None:
    program = shutil.which("flatc")
    if program is None:
        raise unittest.SkipTest("flatc is not here; scripts/setup installs flatbuffers-compiler")
    command = [program, *option, "-o", str(file.parent), str(SCHEMA / f"{FILES[message.name]}.fbs")]
    subprocess.run([*command, *([] if "--binary" in option else ["--"]), str(file)], check=True, capture_output=True)


def by_flatc(message: schema.Table, written: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "message.bin"
        file.write_bytes(written)
        flatc(message, ["--json", "--strict-json", "--raw-binary"], file)
        return json.loads(file.with_suffix(".json").read_text())


def from_flatc(message: schema.Table, sample: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "message.json"
        file.write_text(json.dumps(sample))
        flatc(message, ["--binary"], file)
        return file.with_suffix(".bin").read_bytes()
