"""Demonstrations as files and as a policy sees them; nothing here needs PyTorch."""

from __future__ import annotations

import importlib.util
import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Callable

import numpy as np

from cambium import CambiumError, Code
from cambium.learn import ChainSpec, Recipe, RecordedSensor, make_dataset, read_demonstrations, write_demonstrations
from cambium.learn.chance import below, chance, number_of, uniform
from cambium.learn.joint_chain import features
from cambium.learn.lerobot import chunks, read_lerobot, read_mapping
from cambium.learn.recipe import learning_rate
from cambium.safetensors import read_safetensors, write_safetensors
from tests.planar import planar_reach, tool_of
from tests.tree import MODELS, PYTHON

RECIPE = Recipe()


class InAFolder(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="cambium-py-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def refuses(self, code: Code, words: str, call: Callable[..., Any], *arguments: Any) -> None:
        with self.assertRaises(CambiumError) as raised:
            call(*arguments)
        self.assertIn(words, str(raised.exception))
        self.assertEqual(raised.exception.code, code)


class Chance(unittest.TestCase):
    def test_its_numbers_are_those_of_chance_hpp(self) -> None:
        # SplitMix64 begun at 0 gives this first number; FNV-1a of "a" is in its own reference.
        self.assertEqual(int(chance(0)), 0xE220A8397B1DCDAF)
        self.assertEqual(number_of("a"), 0xAF63DC4C8601EC8C)
        self.assertEqual(number_of(""), 0xCBF29CE484222325)

    def test_an_array_gives_one_number_for_each_entry(self) -> None:
        many = chance(3, np.arange(4, dtype=np.uint64))
        self.assertEqual([int(one) for one in many], [int(chance(3, i)) for i in range(4)])
        self.assertTrue(((uniform(many) >= 0) & (uniform(many) < 1)).all())
        self.assertTrue((below(many, 2) < 2).all())


class LearningRate(unittest.TestCase):
    def test_rises_then_falls_along_a_cosine_to_one_percent(self) -> None:
        recipe = Recipe(steps=1100)
        self.assertAlmostEqual(learning_rate(recipe, 0), 2e-5)
        self.assertAlmostEqual(learning_rate(recipe, 99), 2e-3)
        self.assertAlmostEqual(learning_rate(recipe, 600), 2e-3 * 0.505)
        self.assertAlmostEqual(learning_rate(recipe, 1099), 2e-5, places=7)


class Safetensors(InAFolder):
    def test_a_file_comes_back_as_it_was_written(self) -> None:
        tensors = {"b": np.arange(6, dtype="<f4").reshape(2, 3), "a": np.array([1, 2], "<i8")}
        tensors["e"] = np.zeros((0, 3), "<f4")
        write_safetensors(self.folder / "one", tensors, {"key": "wörd"})
        file = read_safetensors(self.folder / "one")
        self.assertEqual(file.metadata, {"key": "wörd"})
        self.assertEqual(list(file.tensors), ["a", "b", "e"])
        for name, tensor in file.tensors.items():
            np.testing.assert_array_equal(tensor.values, tensors[name])

    def test_the_models_of_the_tree_are_read(self) -> None:
        for path in sorted(MODELS.glob("*.safetensors")):
            self.assertGreater(len(read_safetensors(path).tensors), 2, path)

    def file(self, header: Any, data: bytes = b"") -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        (self.folder / "bad").write_bytes(struct.pack("<Q", len(text)) + text + data)
        return self.folder / "bad"

    def test_bytes_that_do_not_verify_are_refused(self) -> None:
        def one(**changed: Any) -> dict[str, Any]:
            return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changed}}

        eight = b"\0" * 8
        for words, header, data in (
            ("is not valid JSON", b"{", b""),
            ("is not a JSON object", [], b""),
            ("two entries named 'x'", b'{"x":1,"x":2}', b""),
            ("expected text", {"__metadata__": {"key": 3}}, b""),
            ("is not supported", one(dtype="F8"), eight),
            ("takes 8 bytes, data_offsets give 12", one(data_offsets=[0, 12]), eight),
            ("takes 8 bytes, data_offsets give -8", one(data_offsets=[8, 0]), eight),
            ("shape is not a list of sizes", one(shape=[-2]), eight),
            ("shape is not a list of sizes", one(shape=[True]), eight),
            ("at most 5", one(shape=[1, 1, 1, 1, 1, 2]), eight),
            ("truncated?", one(), b"\0" * 7),
            ("leaving a hole", one(data_offsets=[8, 16]), eight + eight),
            ("the file holds 12", one(), b"\0" * 12),
            ("unknown field 'dtyp'", {"x": {"dtyp": "F32"}}, b""),
            ("not a multiple of 4", {"y": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
             **one(data_offsets=[2, 10])}, b"\0" * 10),
        ):  # fmt: skip
            self.refuses(Code.bad_data, words, read_safetensors, self.file(header, data))
        (self.folder / "short").write_bytes(b"abc")
        self.refuses(Code.bad_data, "too short", read_safetensors, self.folder / "short")
        (self.folder / "long").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
        self.refuses(Code.bad_data, "is it .safetensors?", read_safetensors, self.folder / "long")
        self.refuses(Code.not_found, "no such file", read_safetensors, self.folder / "none")


class DemonstrationFiles(InAFolder):
    def write(self, change: Callable[[Any], None] = lambda d: None) -> Path:
        demonstrations = planar_reach("arm", 2)
        change(demonstrations)
        write_demonstrations(self.folder / "demos", demonstrations)
        return self.folder / "demos"

    def test_come_back_as_they_were_written(self) -> None:
        def limit(d: Any) -> None:
            d.sensors["state"] = RecordedSensor(np.zeros((d.rows, 2), np.float32), [-1.0, -2.0], [1.0, 2.0])

        path = self.write(limit)
        d, again = planar_reach("arm", 2), read_demonstrations(path)
        self.assertEqual(again.scale, d.scale)
        self.assertEqual((again.embodiment, again.horizon, again.dof, again.control_hz), ("arm", 4, 2, 100.0))
        self.assertEqual((again.rows, again.episodes), (160, 8))
        self.assertEqual((again.sensors["state"].low, again.sensors["state"].high), ([-1.0, -2.0], [1.0, 2.0]))
        np.testing.assert_array_equal(again.actions, d.actions)

    def test_what_makes_no_sense_is_not_written(self) -> None:
        def not_finite(d: Any) -> None:
            d.sensors["tool"].values[3, 1] = np.nan

        def other_limits(d: Any) -> None:
            d.scale.position_max[1] = 3.0

        def backwards(d: Any) -> None:
            d.episode_start[2] = d.episode_start[1]

        for words, change in (
            ("sensor.tool holds nan in row 3", not_finite),
            ("joint_chain has other limits for joint 'j1'", other_limits),
            ("episode_start[2] is 20, not above 20", backwards),
        ):
            self.refuses(Code.bad_data, words, self.write, change)
        self.assertFalse((self.folder / "demos").exists())

    def test_a_key_that_is_not_known_is_named_with_the_nearest(self) -> None:
        file = read_safetensors(self.write())
        tensors = {name: one.values for name, one in file.tensors.items()}
        write_safetensors(self.folder / "odd", tensors, {**file.metadata, "rech": "1"})
        self.refuses(Code.bad_data, "did you mean 'reach'?", read_demonstrations, self.folder / "odd")
        write_safetensors(self.folder / "odd", tensors, {**file.metadata, "dof": "2.5"})
        self.refuses(Code.bad_data, "'dof' is 2.5, expected a whole number", read_demonstrations, self.folder / "odd")
        write_safetensors(self.folder / "odd", {**tensors, "actions": tensors["action"]}, file.metadata)
        self.refuses(Code.bad_data, "'actions' is not known", read_demonstrations, self.folder / "odd")


class Datasets(InAFolder):
    def test_normalise_by_the_body_and_hold_episodes_out(self) -> None:
        d = planar_reach("arm", 2, 20)
        data = make_dataset(d, ["joint_position"], ["tool", "goal"], RECIPE)
        np.testing.assert_allclose(data.inputs[0].values, d.sensors["joint_position"].values / 2.5, atol=1e-6)
        np.testing.assert_allclose(data.inputs[1].values, d.sensors["tool"].values - [1, 0, 0.1], atol=1e-6)
        np.testing.assert_allclose(data.targets, d.actions / 2, atol=1e-6)
        self.assertEqual((len(data.training), len(data.validation)), (380, 20))
        held = set((data.validation // 20).tolist())
        self.assertEqual(len(held), 1)
        self.assertTrue(held.isdisjoint((data.training // 20).tolist()))

    def test_a_flag_stays_as_it_is(self) -> None:
        d = planar_reach("arm", 2)
        candidates = np.tile(np.array([[1.5, 0, 0.1, 1], [1, 0, 0.1, 0]], np.float32), (d.rows, 1, 1))
        d.sensors["candidates"] = RecordedSensor(candidates)
        values = make_dataset(d, ["joint_position"], ["candidates"], RECIPE).inputs[1].values
        np.testing.assert_allclose(values[0], [0.5, 0, 0, 1, 0, 0, 0, 0], atol=1e-6)

    def test_name_sensors_that_are_not_there(self) -> None:
        d = planar_reach("arm", 2)
        self.refuses(Code.not_found, "mean 'joint_position'?", make_dataset, d, ["joint_positon"], ["tool"], RECIPE)
        self.refuses(Code.not_found, "are 'joint_position'", make_dataset, d, ["joint_position"], ["scene"], RECIPE)
        self.assertEqual(make_dataset(d, ["joint_position"], ["tool"], RECIPE).left_out, ["goal"])
        d.scale.chain = None
        self.refuses(Code.incompatible, "have no joint_chain", make_dataset, d, [], ["joint_position"], RECIPE)


class JointChains(InAFolder):
    def test_features_are_what_each_joint_does_to_the_tool(self) -> None:
        spec = planar_reach("arm", 3).scale.chain
        assert spec is not None
        q = np.array([[0.3, -0.5, 0.9]])
        got, step = features(spec, q)[0], 1e-6
        for joint in range(3):
            moved = q[0].copy()
            moved[joint] += step
            velocity = (tool_of(moved) - tool_of(q[0])) / step * 2.0 * 0.3
            np.testing.assert_allclose(got[joint, :3], velocity, atol=1e-5)
            np.testing.assert_allclose(got[joint, 3:6], [0, 0, 1], atol=1e-6)
            np.testing.assert_allclose(got[joint, 6], np.clip(-q[0, joint] / 0.6, -3, 3), rtol=1e-6)
            np.testing.assert_allclose(got[joint, 7:], [1, 1, 0.5], atol=1e-6)

    def test_a_slide_moves_the_tool_along_its_direction(self) -> None:
        spec = ChainSpec.from_text("[0.2,0,0.5,1, 0,0,0,0,0,0,1,0,-3,3,2, 1,0,0,0.5,1,0,0,0,-1,1,0.5]")
        turned = features(spec, np.array([[np.pi / 2, 0.4]]))[0]
        np.testing.assert_allclose(turned[1, :6], [0, 0.15, 0, 0, 1, 0], atol=1e-6)
        np.testing.assert_allclose(turned[0, :3], [-0.6 * 0.6, 0, 0], atol=1e-6)
        self.assertEqual(ChainSpec.from_text(spec.to_text()), spec)

    def test_a_text_that_is_none_is_refused_with_the_number(self) -> None:
        for words, text in (
            ("expected '['", "{}"),
            ("number 1 of the list", "[1,null]"),
            ("expected 4 and 11 for each joint", "[1,2,3,4,5]"),
            ("slides is 2", "[0,0,0,1, 2,0,0,0,0,0,1,0,-3,3,2]"),
            ("direction has length 2", "[0,0,0,1, 0,0,0,0,0,0,2,0,-3,3,2]"),
            ("lies outside", "[0,0,0,1, 0,0,0,0,0,0,1,9,-3,3,2]"),
        ):
            self.refuses(Code.bad_data, words, ChainSpec.from_text, text)


class LeRobotFolders(InAFolder):
    MAPPING = {
        "embodiment": "arm",
        "action_kind": "joint_position",
        "horizon": 3,
        "joints": [{"name": f"j{i}", "min": -2, "max": 2, "velocity_max": 1} for i in range(2)],
        "home_tool": [0.4, 0, 0.2],
        "reach": 0.5,
        "sensors": {"joint_position": {"key": "observation.state", "take": [0, 1], "scale": 0.01}},
        "action": {"key": "action", "take": [0, 1], "scale": 0.01},
    }

    def mapping(self, **changed: Any) -> Path:
        (self.folder / "mapping.json").write_text(json.dumps({**self.MAPPING, **changed}))
        return self.folder / "mapping.json"

    def dataset(self, version: str = "v2.1") -> Path:
        feature = {"dtype": "float32", "shape": [3], "names": None}
        video = {"dtype": "video", "shape": [3, 8, 8], "names": None}
        features = {"observation.state": feature, "action": feature, "observation.images.top": video}
        (self.folder / "meta").mkdir(exist_ok=True)
        info = {"codebase_version": version, "fps": 30, "features": features}
        (self.folder / "meta" / "info.json").write_text(json.dumps(info))
        return self.folder

    def test_chunks_hold_the_last_position_or_stand_still_at_an_episodes_end(self) -> None:
        action = np.arange(1, 6, dtype=np.float32)[:, None]
        start = np.array([0, 3, 5])
        np.testing.assert_array_equal(
            chunks(action, start, 3, hold=True)[:, :, 0], [[1, 2, 3], [2, 3, 3], [3, 3, 3], [4, 5, 5], [5, 5, 5]]
        )
        np.testing.assert_array_equal(
            chunks(action, start, 3, hold=False)[:, :, 0], [[1, 2, 3], [2, 3, 0], [3, 0, 0], [4, 5, 0], [5, 0, 0]]
        )

    def test_what_does_not_fit_is_said_before_anything_is_read(self) -> None:
        mapping = read_mapping(self.mapping())
        self.refuses(Code.not_found, "info.json", read_lerobot, self.folder / "nowhere", mapping)
        self.refuses(Code.incompatible, "expected v2.x or v3.x", read_lerobot, self.dataset("v1.6"), mapping)
        self.refuses(Code.not_found, "has it been downloaded whole?", read_lerobot, self.dataset(), mapping)
        sensors = {"tool": {"key": "observation.stat"}}
        other = read_mapping(self.mapping(sensors=sensors))
        self.refuses(Code.not_found, "did you mean 'observation.state'?", read_lerobot, self.dataset(), other)
        other = read_mapping(self.mapping(sensors={"view": {"key": "observation.images.top"}}))
        self.refuses(Code.incompatible, "is video", read_lerobot, self.dataset(), other)
        other = read_mapping(self.mapping(action={"key": "action", "take": [3]}))
        self.refuses(Code.incompatible, "has 3 numbers", read_lerobot, self.dataset(), other)
        self.refuses(Code.bad_data, "'reech'", read_mapping, self.mapping(reech=1))
        self.refuses(Code.bad_data, "is missing", read_mapping, self.mapping(sensors={"tool": {"keys": "x"}}))

    def test_without_a_reader_of_parquet_it_is_said_what_to_install(self) -> None:
        if any(importlib.util.find_spec(one) for one in ("pyarrow", "pandas")):
            self.skipTest("a reader is installed")
        (self.dataset() / "data" / "chunk-000").mkdir(parents=True)
        (self.folder / "data" / "chunk-000" / "episode_000000.parquet").write_bytes(b"PAR1")
        self.refuses(Code.unavailable, "pip install pyarrow", read_lerobot, self.folder, read_mapping(self.mapping()))

    def test_a_dataset_becomes_demonstrations(self) -> None:
        if importlib.util.find_spec("pyarrow") is None:
            self.skipTest("pyarrow is not here, and Debian has no package of it")
        import pyarrow
        import pyarrow.parquet

        (self.dataset() / "data" / "chunk-000").mkdir(parents=True)
        for episode, ticks in enumerate((4, 3)):
            state = [[float(episode), float(tick), 9.0] for tick in range(ticks)]
            table = {
                "observation.state": state,
                "action": state,
                "episode_index": [episode] * ticks,
                "frame_index": list(range(ticks)),
            }
            file = self.folder / "data" / "chunk-000" / f"episode_{episode:06}.parquet"
            pyarrow.parquet.write_table(pyarrow.table(table), file)
        d = read_lerobot(self.folder, read_mapping(self.mapping()))
        self.assertEqual((d.episodes, d.rows, d.control_hz, d.horizon), (2, 7, 30.0, 3))
        np.testing.assert_allclose(d.sensors["joint_position"].values[5], [0.01, 0.01], atol=1e-7)
        np.testing.assert_allclose(d.actions[2, :, 1], [0.02, 0.03, 0.03], atol=1e-7)
        write_demonstrations(self.folder / "demos", d)
        self.assertEqual(read_demonstrations(self.folder / "demos").rows, 7)


class WithoutTorch(unittest.TestCase):
    def test_the_package_imports_and_says_what_is_missing(self) -> None:
        # None in sys.modules is how Python is told that a module is not there.
        program = (
            "import sys; sys.modules['torch'] = None\n"
            "import cambium.learn\n"
            "from cambium.learn.__main__ import main\n"
            "sys.exit(main(['graft', 'demos', '--stock', 'stock', '-o', 'out']))"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=PYTHON, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("apt install python3-torch", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
