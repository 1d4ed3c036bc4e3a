"""Camera frames from Python: through shared memory, exact to the last number, or as bytes where that cannot be."""

from __future__ import annotations

import json
import subprocess
import unittest
from pathlib import Path

import numpy as np

import cambium
from cambium import CambiumError, Code, Drive, EventKind
from cambium.frame_ring import GRAIN, SLOTS, FrameRing
from cambium.safetensors import write_safetensors
from tests.host import PATIENCE, HostTest, Processes, robot_toml
from tests.test_convert import toy_trunk
from tests.tree import built

SHAPE = (96, 128, 9)  # 432 KB: no room in a message, as tests/support/toy_camera.hpp


def frame(number: int) -> np.ndarray:
    """Of which every number is known; the toy's stem fails unless it gets all of them."""
    return ((number % 1000 + 1) * 1009 + np.arange(np.prod(SHAPE)) % 997).reshape(SHAPE)


def write_stock(file: Path) -> str:
    """A small trunk; its id, as the program says it."""
    metadata = {"cambium.kind": "stock", "architecture": "hpt", "embed_dim": "8", "num_blocks": "1", "num_heads": "2",
                "mlp_ratio": "4", "shared_stems": "[]"}  # fmt: skip
    write_safetensors(file, toy_trunk(blocks=1), metadata)
    again = file.with_name("again.safetensors")
    said = subprocess.run(
        [built("CAMBIUM_PROGRAM"), "convert", file, again, "--precision", "f32", "--json"],
        capture_output=True,
        check=True,
    )
    return str(json.loads(said.stdout)["from"]["trunk"])


def write_bundle(file: Path, trunk_id: str) -> None:
    metadata = {
        "cambium.kind": "bundle", "embodiment": "toy_camera", "trunk_id": trunk_id, "width": "8", "horizon": "8",
        "dof": "2", "control_hz": "100", "action_kind": "joint_velocity", "observation_horizon": "1",
        "pooling": "mean", "pooled": "1", "head": json.dumps({"name": "constant", "parameters": {}}),
        "layout": json.dumps([{"sensor": "camera", "stem": "frame", "shape": list(SHAPE), "tokens": 1, "shared": False,
                               "parameters": {}}]),
    }  # fmt: skip
    tensors = {"heads.toy_camera.value": np.array([0.1, -0.05], np.float32)}
    for name in ("camera", "action"):
        tensors[f"normalizer.toy_camera.params_dict.{name}.scale"] = np.ones(1, np.float32)
        tensors[f"normalizer.toy_camera.params_dict.{name}.offset"] = np.zeros(1, np.float32)
    write_safetensors(file, tensors, metadata)


class Frames(HostTest):
    @classmethod
    def make(cls) -> Processes:
        made = Processes(robot_toml("eye", built("TOY_CAMERA"), "camera.safetensors"), stock="stock.safetensors")
        write_bundle(made.folder / "camera.safetensors", write_stock(made.folder / "stock.safetensors"))
        return made

    def see(self, client: cambium.Client, number: int) -> cambium.ActionReply:
        client.set("joint_position", [0, 0])
        client.set("camera", frame(number))
        return client.act(PATIENCE)

    def test_frames_that_have_no_room_in_a_message_arrive_exact_and_drive_the_policy(self) -> None:
        client = self.client("eye")
        self.assertTrue(client.wait(PATIENCE).shared_memory)
        self.assertIn("through shared memory", self.events[-1].text)
        steady = number = 0
        while steady < 100 and number < 2000:
            reply = self.see(client, number)
            steady = steady + 1 if reply and reply.drive is Drive.policy else 0
            number += 1
        self.assertEqual(steady, 100, self.processes.said())
        robot = self.admin().status()["robots"][0]
        self.assertGreaterEqual(robot["shared_kb"], 432)
        self.assertEqual((robot["refused"], robot["overwritten"]), (0, 0))

    def test_without_shared_memory_both_sizes_are_named(self) -> None:
        client = self.client("eye", share_from=cambium.NEVER_SHARE)
        with self.assertRaisesRegex(
            CambiumError, "432 KB, the host's max_message_kb is 256.*switched off here"
        ) as caught:
            client.wait(2.0)
        self.assertIs(caught.exception.code, Code.limit)
        self.assertIn(EventKind.refused, self.kinds())

    def test_a_picture_with_its_axes_in_another_order_is_refused(self) -> None:
        client = self.client("eye")
        client.wait(PATIENCE)
        with self.assertRaisesRegex(CambiumError, r"shape \(9, 96, 128\), expected \(96, 128, 9\)"):
            client.set("camera", frame(0).transpose(2, 0, 1))

    def test_bytes_of_a_camera_are_numbers(self) -> None:
        client = self.client("eye")
        client.wait(PATIENCE)
        self.assertIs(client.set("camera", np.full(SHAPE, 255, np.uint8)), Code.ok)


class Ring(unittest.TestCase):
    """The slots, as the host finds them."""

    def test_a_slot_is_kept_until_its_observation_is_answered(self) -> None:
        ring = FrameRing([0, 3])
        self.addCleanup(ring.close)
        places = []
        for observation in range(1, SLOTS + 2):
            ring.write(1, np.full(3, observation, np.float32), answered=0)
            places.append(ring.lend(1, observation))
        offsets = [one["offset"] for one in places]
        self.assertEqual(len(set(offsets[:SLOTS])), SLOTS)
        self.assertEqual(offsets[SLOTS], offsets[0])
        self.assertEqual([one["sequence"] for one in places], [2, 4, 6, 8, 10])
        self.assertTrue(all(one % GRAIN == 0 and one >= GRAIN for one in offsets))
        ring.write(1, np.zeros(3, np.float32), answered=SLOTS + 1)
        self.assertEqual(ring.lend(1, SLOTS + 2)["offset"], offsets[SLOTS])

    def test_what_lies_there_is_token_sequence_and_numbers(self) -> None:
        ring = FrameRing([3])
        self.addCleanup(ring.close)
        ring.write(0, np.array([1, 2, 3], np.uint8), answered=0)
        place = ring.lend(0, 1)
        memory = bytes(ring._memory)
        self.assertEqual(memory[:16], ring.token)
        self.assertEqual(len(memory), ring.bytes)
        at = place["offset"]
        self.assertEqual(np.frombuffer(memory, np.uint64, 1, at)[0], place["sequence"])
        np.testing.assert_array_equal(np.frombuffer(memory, np.float32, 3, at + GRAIN), [1, 2, 3])

    def test_too_much_is_refused(self) -> None:
        with self.assertRaisesRegex(CambiumError, "more than 256 MB"):
            FrameRing([1 << 40])


if __name__ == "__main__":
    unittest.main()
