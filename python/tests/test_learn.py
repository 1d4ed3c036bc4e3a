"""What is trained with PyTorch against what `cambium` trains: same weights, same files, same actions."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from cambium.learn import write_demonstrations
from cambium.learn.__main__ import main
from cambium.safetensors import SafetensorsFile, read_safetensors, write_safetensors
from tests.planar import planar_reach
from tests.tree import MODELS, PYTHON, built

TORCH = importlib.util.find_spec("torch") is not None

#: Two shards of the native trainer: 32 samples and 8.
SMALL = ["--batch", "40", "--seed", "7", "--stem-widths", "16", "--head-widths", "32"]
TRUNK = ["--width", "16", "--blocks", "2", "--heads", "2"]
#: PyTorch 1.13 fails under Python 3.11 without a choice of redirections; that of a tenth process does nothing.
TORCHRUN = ["torch.distributed.run", "--standalone", "-r", "9:3", "-t", "9:3", "--nproc_per_node"]
ROUNDING = 1e-5  # of an update, root mean square over weights
#: AdamW divides by the gradient's size: one that is nearly 0, and so nearly all rounding, moves its weight all the same.
#: One weight in so many may be such a one; it goes wrong by a hundredth of a full step at most.
ONE_IN, SINGLE = 1000, 2e-5


@unittest.skipUnless(TORCH, "PyTorch is not here; scripts/setup installs python3-torch for Debian's python3")
class Learning(unittest.TestCase):
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="cambium-py-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        for name, dof in (("two", 2), ("three", 3), ("again", 3), ("planar3", 3)):
            write_demonstrations(cls.folder / name, planar_reach(name, dof, horizon=8, seed=len(name)))
        blunt = planar_reach("blunt", 4, horizon=8)
        blunt.scale.chain = None
        write_demonstrations(cls.folder / "blunt", blunt)

    def demos(self, *names: str) -> list[str]:
        return [str(self.folder / name) for name in names]

    def native(self, *arguments: str) -> dict[str, Any]:
        return self.run_it([built("CAMBIUM_PROGRAM"), *arguments, "--json"])

    def torch(self, *arguments: str, processes: int = 1) -> dict[str, Any]:
        if processes > 1:
            start = [sys.executable, "-m", *TORCHRUN, str(processes), "-m", "cambium.learn"]
            return self.run_it([*start, *arguments, "--threads", "1", "--json"])
        out, error = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(error):
            code = main([*arguments, "--threads", "1", "--json"])
        self.assertEqual(code, 0, f"{arguments}\n{error.getvalue()}")
        report: dict[str, Any] = json.loads(out.getvalue())
        return report

    def run_it(self, command: list[str]) -> dict[str, Any]:
        done = subprocess.run(command, cwd=self.folder, env=environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def out(self, name: str) -> Path:
        return self.folder / f"{self.id()}.{name}"

    def assert_same_step(self, one: Path, other: Path, before: Path) -> None:
        """Weights differ by rounding only, held against how far they went."""
        left, right, begin = (read_safetensors(path).tensors for path in (one, other, before))
        self.assertEqual(left.keys(), right.keys())
        flat = [np.concatenate([part[name].values.ravel() for name in left]).astype(np.float64)
                for part in (left, right, begin)]  # fmt: skip
        difference, went = np.sort(np.abs(flat[0] - flat[1])), np.abs(flat[0] - flat[2])
        self.assertGreater(rms(went), 0)
        self.assertLess(rms(difference[: -max(1, len(difference) // ONE_IN)]), ROUNDING * rms(went))
        self.assertLess(difference[-1], SINGLE)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PYTHON), "OMP_WAIT_POLICY": "PASSIVE"}


class Pretraining(Learning):
    def compare(self, steps: int, *options: str) -> None:
        demos = self.demos("two", "three", "again")
        both = [*SMALL, *TRUNK, "--steps", str(steps), *options]
        native, torch = self.out(f"native{steps}"), self.out(f"torch{steps}")
        here = self.native("pretrain", *demos, "-o", str(native), *both)
        there = self.torch("pretrain", *demos, "-o", str(torch), *both)
        self.assertEqual(here["trained_weights"], there["trained_weights"])
        for left, right in zip(here["curve"], there["curve"]):
            self.assertEqual(left["step"], right["step"])
            self.assertAlmostEqual(left["training"], right["training"], places=6)
            self.assertAlmostEqual(left["validation"], right["validation"], places=6)
        begin = self.out("begin")
        if not begin.exists():  # a learning rate near 0 leaves weights where they begin
            self.torch("pretrain", *demos, "-o", str(begin), *both, "--learning-rate", "1e-30", "--force")
        for name in ("stock", "two", "three", "again"):
            file = f"{name}.safetensors"
            if name == "stock":
                self.assert_same_step(native / file, torch / file, begin / file)
            self.assert_same_metadata(read_safetensors(native / file), read_safetensors(torch / file))

    def assert_same_metadata(self, left: SafetensorsFile, right: SafetensorsFile) -> None:
        other = {"trained", "trunk_id"}  # for people; and of weights that are the same but for rounding
        self.assertEqual(left.metadata.keys(), right.metadata.keys())
        for key in left.metadata.keys() - other:
            self.assertEqual(left.metadata[key], right.metadata[key], key)

    def test_one_step_gives_the_weights_that_the_program_gives(self) -> None:
        self.compare(1)

    def test_so_do_three(self) -> None:
        self.compare(3)

    def test_a_token_and_a_head_for_each_joint_are_pretrained_alike(self) -> None:
        self.compare(1, "--head", "joint")  # two of three bodies are drawn from as one
        self.compare(3, "--head", "joint")


class Grafting(Learning):
    def compare(self, body: str, stock: Path, steps: int) -> Path:
        """The bundle that was trained here."""
        both = [self.demos(body)[0], "--stock", str(stock), *SMALL, "--steps", str(steps)]
        native, torch, begin = (self.out(f"{body}.{name}{steps}") for name in ("native", "torch", "begin"))
        here = self.native("graft", *both, "-o", str(native))
        there = self.torch("graft", *both, "-o", str(torch))
        for key in ("trunk_id", "trunk_id_before", "trained_weights", "frozen_weights", "step"):
            self.assertEqual(here[key], there[key], key)
        self.torch("graft", *both, "-o", str(begin), "--learning-rate", "1e-30")
        self.assert_same_step(native, torch, begin)
        left, right = read_safetensors(native).metadata, read_safetensors(torch).metadata
        self.assertEqual({**left, "trained": ""}, {**right, "trained": ""})
        return torch

    def test_on_the_stock_of_the_tree_gives_the_weights_that_the_program_gives(self) -> None:
        for steps in (1, 3):
            self.compare("blunt", MODELS / "stock.safetensors", steps)

    def test_on_a_stock_with_a_joint_head_begins_with_that(self) -> None:
        self.native("pretrain", *self.demos("two", "again"), "-o", str(self.out("joint")), *SMALL, *TRUNK, "--head",
                    "joint", "--steps", "5")  # fmt: skip
        stock = self.out("joint") / "stock.safetensors"
        for steps in (1, 3):
            bundle = read_safetensors(self.compare("three", stock, steps))
        self.assertEqual(json.loads(bundle.metadata["head"])["name"], "joint")
        # A body whose axes are not described has a stem and a head of its own.
        bundle = read_safetensors(self.compare("blunt", stock, 1))
        self.assertEqual(json.loads(bundle.metadata["head"])["name"], "mlp")


class Acting(Learning):
    def test_a_bundle_of_the_tree_acts_as_it_does_in_a_host(self) -> None:
        self.compare(MODELS / "stock.safetensors", MODELS / "planar3.safetensors")

    def test_so_does_one_with_a_token_and_a_head_for_each_joint(self) -> None:
        out = self.out("models")
        self.torch("pretrain", *self.demos("planar3", "two"), "-o", str(out), *SMALL, *TRUNK, "--head", "joint",
                   "--steps", "20")  # fmt: skip
        self.compare(out / "stock.safetensors", out / "planar3.safetensors")

    def compare(self, stock: Path, bundle: Path) -> None:
        from cambium.learn.body_policy import BodyPolicy

        random = np.random.default_rng(5)
        readings = {
            "joint_position": random.uniform(-2, 2, (64, 3)).astype(np.float32),
            "tool": random.uniform(-0.5, 0.5, (64, 3)).astype(np.float32),
            "goal": random.uniform(-3, 3, (64, 3)).astype(np.float32),  # some of it beyond the clamp
        }
        write_safetensors(self.out("seen"), {f"sensor.{name}": one for name, one in readings.items()}, {})
        command = [built("POLICY_VALUES"), built("PLANAR3"), stock, bundle, self.out("seen"), self.out("chunk")]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        native = read_safetensors(self.out("chunk")).tensors["chunk"].values
        here = BodyPolicy(stock, bundle).chunk(readings)
        self.assertEqual(here.shape, (64, 8, 3))
        self.assertGreater(float(np.ptp(native)), 0.1)
        np.testing.assert_allclose(here, native, atol=1e-5)


class Together(Learning):
    def test_two_processes_take_the_steps_of_one(self) -> None:
        arguments = ["pretrain", *self.demos("two", "three"), *SMALL, *TRUNK, "--steps", "3"]
        alone, both, begin = self.out("one"), self.out("both"), self.out("begin")
        one = self.torch(*arguments, "-o", str(alone))
        two = self.torch(*arguments, "-o", str(both), processes=2)
        self.torch(*arguments, "-o", str(begin), "--learning-rate", "1e-30")
        self.assertEqual((one["processes"], two["processes"]), (1, 2))
        self.assertAlmostEqual(one["curve"][-1]["training"], two["curve"][-1]["training"], places=6)
        for name in ("stock", "two", "three"):
            file = f"{name}.safetensors"
            if name == "stock":
                self.assert_same_step(alone / file, both / file, begin / file)

    def test_a_batch_that_does_not_reach_round_is_refused_before_anybody_waits(self) -> None:
        said = io.StringIO()
        with patch.dict(os.environ, {"RANK": "0", "WORLD_SIZE": "3"}), redirect_stderr(said):
            code = main(["pretrain", *self.demos("two"), "-o", str(self.out("x")), "--batch", "2"])
        self.assertEqual(code, 2)
        self.assertIn("batch is 2, expected at least 3", said.getvalue())


class ToAndFro(Learning):
    def test_a_head_for_each_joint_is_as_wide_as_the_native_one_unless_told(self) -> None:
        options = ["--steps", "1", "--stem-widths", "16", *TRUNK, "--head", "joint"]
        sizes = [
            train("pretrain", *self.demos("two"), "-o", str(self.out(name)), *options)["trained_weights"]
            for name, train in (("narrow", self.native), ("narrow too", self.torch))
        ]
        self.assertEqual(sizes[0], sizes[1])

    def test_each_grafts_onto_what_the_other_pretrained(self) -> None:
        options = [*SMALL, *TRUNK, "--steps", "5"]
        demos = self.demos("two", "three")
        ids = {}
        for name, train in (("native", self.native), ("torch", self.torch)):
            ids[name] = train("pretrain", *demos, "-o", str(self.out(name)), *options)["trunk_id"]
        for name, graft in (("native", self.torch), ("torch", self.native)):
            stock = self.out(name) / "stock.safetensors"
            arguments = [*self.demos("blunt"), "--stock", str(stock), *SMALL, "--steps", "20"]
            report = graft("graft", *arguments, "-o", str(self.out(f"{name}.bundle")))
            self.assertEqual(report["trunk_id"], ids[name])

    def test_a_trunks_id_is_what_the_program_says(self) -> None:
        from cambium.learn.files import read_stock

        stock = MODELS / "stock.safetensors"
        report = self.native("convert", str(stock), str(self.out("same")), "--precision", "f32")
        self.assertEqual(read_stock(stock).trunk_id, report["from"]["trunk"])


class Interrupting(Learning):
    def test_a_training_goes_on_where_it_stopped(self) -> None:
        arguments = ["graft", *self.demos("blunt"), "--stock", str(MODELS / "stock.safetensors"), *SMALL]
        arguments += ["--steps", "400", "-o"]
        whole, halves = self.out("whole.safetensors"), self.out("halves.safetensors")
        self.torch(*arguments, str(whole))
        command = [sys.executable, "-m", "cambium.learn", *arguments, str(halves), "--threads", "1"]
        process = subprocess.Popen(command, cwd=self.folder, env=environment(), stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        process.stderr.readline()  # the first tenth is done
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(), 1, said)
        self.assertIn("with --resume goes on", said)
        self.assertFalse(halves.exists())
        report = self.torch(*arguments, str(halves), "--resume")
        self.assertEqual(report["step"], 400)
        left, right = read_safetensors(whole).tensors, read_safetensors(halves).tensors
        for name, tensor in left.items():
            np.testing.assert_array_equal(tensor.values, right[name].values, name)
        self.assertEqual(sorted(self.folder.glob(f"{halves.stem}*.checkpoint*")), [])

    def test_another_training_is_not_resumed(self) -> None:
        stock = str(MODELS / "stock.safetensors")
        command = [sys.executable, "-m", "cambium.learn", "graft", *self.demos("blunt"), "--stock", stock]
        command += ["-o", str(self.out("x")), "--resume"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("checkpoint.safetensors': cannot open: no such file", done.stderr)


class Refusing(Learning):
    def refused(self, *arguments: str) -> str:
        said = io.StringIO()
        with redirect_stderr(said):
            self.assertEqual(main(arguments), 2)
        self.assertEqual(said.getvalue().count("\n"), 1, said.getvalue())
        return said.getvalue()

    def test_what_makes_no_sense_is_told_in_one_line(self) -> None:
        two, stock = self.demos("two")[0], str(MODELS / "stock.safetensors")
        there = self.out("there")
        there.write_bytes(b"")
        for words, arguments in (
            ("steps is 0, expected at least 1", ["pretrain", two, "-o", "x", "--steps", "0"]),
            ("a multiple of the 4 heads", ["pretrain", two, "-o", "x", "--width", "6"]),
            ("`cambium pretrain` also trains 'streaming'", ["pretrain", two, "-o", "x", "--architecture", "streaming"]),
            ("a second file of embodiment 'two'", ["pretrain", two, two, "-o", "x"]),
            ("shared sensor 'scene' has no recording", ["pretrain", two, "-o", "x", "--shared", "tool,scene"]),
            ("is there already; --force", ["graft", two, "-s", stock, "-o", str(there)]),
            ("'cambium.kind' is 'demonstrations'", ["graft", two, "-s", two, "-o", "x"]),
            ("'cambium.kind' is 'stock'", ["graft", stock, "-s", stock, "-o", "x"]),
            ("its trunk is 'streaming'", ["graft", two, "-s", str(MODELS / "context_stock.safetensors"), "-o", "x"]),
        ):
            self.assertIn(words, self.refused(*arguments))




if __name__ == "__main__":
    unittest.main()
