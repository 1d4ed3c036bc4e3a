"""HPT checkpoints as stocks: names, metadata, refusals, and a trunk process that serves what was written."""

from __future__ import annotations

import importlib.util
import io
import json
import struct
import subprocess
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from cambium import CambiumError, Code
from cambium.__main__ import main
from cambium.convert import convert, heads_beside, metadata_of, trunk_of
from cambium.safetensors import DTYPES, write_safetensors
from tests.tree import GOLDEN, MODELS, built

TORCH = importlib.util.find_spec("torch") is not None


def read_safetensors(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Enough of a reader to look at what was written; the real one is the program's."""
    whole = file.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    header: dict[str, Any] = json.loads(whole[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    names = {word: dtype for dtype, word in DTYPES.items()}
    tensors = {}
    for name, about in header.items():
        first, end = (8 + size + at for at in about["data_offsets"])
        tensors[name] = np.frombuffer(whole[first:end], names[about["dtype"]]).reshape(about["shape"])
    return tensors, metadata


def toy_trunk(width: int = 8, blocks: int = 2) -> dict[str, np.ndarray]:
    """A state_dict of HPT's trunk, as trunk.pth holds it."""
    chance = np.random.default_rng(3)
    shapes = {
        "norm_1.weight": (width,), "norm_1.bias": (width,), "norm_2.weight": (width,), "norm_2.bias": (width,),
        "attn.in_proj_weight": (3 * width, width), "attn.in_proj_bias": (3 * width,),
        "attn.bias_k": (1, 1, width), "attn.bias_v": (1, 1, width),
        "attn.out_proj.weight": (width, width), "attn.out_proj.bias": (width,),
        "mlp.fc1.weight": (4 * width, width), "mlp.fc1.bias": (4 * width,),
        "mlp.fc2.weight": (width, 4 * width), "mlp.fc2.bias": (width,),
    }  # fmt: skip
    return {
        f"trunk.blocks.{block}.{name}": chance.normal(size=shape).astype(np.float32)
        for block in range(blocks)
        for name, shape in shapes.items()
    }


class Converting(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="cambium-py-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def id_by_the_program(self, stock: Path) -> str:
        """`cambium convert` verifies every byte of a stock and says its id."""
        done = subprocess.run(
            [
                built("CAMBIUM_PROGRAM"),
                "convert",
                stock,
                self.folder / "again.safetensors",
                "--precision",
                "f32",
                "--json",
            ],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertTrue(report["same_trunk"])
        return str(report["from"]["trunk"])

    def test_our_own_trunk_comes_back_with_the_same_id(self) -> None:
        tensors, metadata = read_safetensors(MODELS / "stock.safetensors")
        made = metadata_of(trunk_of(tensors, "stock"), int(metadata["num_heads"]), "stock")
        for key in ("architecture", "embed_dim", "num_blocks", "num_heads", "mlp_ratio", "cambium.kind"):
            self.assertEqual(made[key], metadata[key])
        # With its shared stems it is the same file in another order of words.
        write_safetensors(self.folder / "same.safetensors", tensors, metadata)
        self.assertEqual(
            self.id_by_the_program(self.folder / "same.safetensors"),
            self.id_by_the_program(self.fresh(MODELS / "stock.safetensors")),
        )

    def fresh(self, stock: Path) -> Path:
        (self.folder / "again.safetensors").unlink(missing_ok=True)
        return stock

    def test_the_published_names_become_a_stock_that_the_program_reads(self) -> None:
        if not GOLDEN.is_dir():
            self.skipTest(f"no reference data at {GOLDEN}")
        tensors, _ = read_safetensors(GOLDEN / "hpt_trunk" / "weights.safetensors")
        case = read_safetensors(GOLDEN / "hpt_trunk" / "case.safetensors")[1]
        trunk = trunk_of(tensors, "golden")
        metadata = metadata_of(trunk, int(case["num_heads"]), "golden")
        for key in ("embed_dim", "num_blocks", "num_heads", "mlp_ratio"):
            self.assertEqual(metadata[key], case[key])
        write_safetensors(self.folder / "golden.safetensors", trunk, metadata)
        self.assertEqual(len(self.id_by_the_program(self.folder / "golden.safetensors")), 64)

    def test_a_whole_policy_gives_its_trunk_only(self) -> None:
        policy = {f"trunk.{name}": value for name, value in toy_trunk().items()}
        policy["stems.panda_state.net.0.weight"] = np.ones((4, 4), np.float32)
        policy["heads.panda.net.0.weight"] = np.ones((4, 4), np.float32)
        trunk = trunk_of(policy, "policy")
        self.assertEqual(sorted(trunk), sorted(toy_trunk()))
        half = {name: value.astype(np.float64) for name, value in toy_trunk().items()}
        self.assertEqual({one.dtype.str for one in trunk_of(half, "f64").values()}, {"<f4"})

    def test_what_is_no_hpt_trunk_is_refused_by_name(self) -> None:
        def but(**changes: Any) -> dict[str, np.ndarray]:
            changed = {
                **toy_trunk(),
                **{f"trunk.blocks.1.{name.replace('__', '.')}": one for name, one in changes.items()},
            }
            return {name: one for name, one in changed.items() if one is not None}

        nan = np.full(8, np.nan, np.float32)
        for tensors, heads, text in (
            ({"layers.0.weight": np.ones(3)}, 2, "no tensor of a trunk, .* it has 'layers.0.weight'"),
            (but(norm_1__bias=None), 2, "no tensor 'trunk.blocks.1.norm_1.bias' in 2 blocks"),
            (but(norm_1__bias=np.ones(9, np.float32)), 2, r"has shape \(9,\), expected \(8,\)"),
            (but(norm_1__bias=nan), 2, "'trunk.blocks.1.norm_1.bias' holds something that is no finite number"),
            (but(norm_1__bias=np.ones(8, np.int64)), 2, "no finite number"),
            (but(attn__gate=np.ones(8, np.float32)), 2, "'trunk.blocks.1.attn.gate' is none of an HPT trunk"),
            ({**toy_trunk(), "trunk.trunk.blocks.0.norm_1.bias": np.ones(8)}, 2, "two tensors are"),
            (toy_trunk(), 3, "3 heads do not divide the width 8"),
            (toy_trunk(), None, "how many attention heads"),
        ):
            with self.assertRaisesRegex(CambiumError, text):
                metadata_of(trunk_of(tensors, "x.pth"), heads, "x.pth")

    def test_heads_are_read_from_the_configuration_beside_the_weights(self) -> None:
        weights = self.folder / "trunk.pth"
        self.assertIsNone(heads_beside(str(weights)))
        config = self.folder / "config.yaml"
        config.write_text("network:\n  embed_dim: 128\n  num_heads: 8  # attention\n  num_blocks: 16\n")
        self.assertEqual(heads_beside(str(weights)), 8)
        config.write_text("trunk:\n  num_heads: 8\nstem:\n  num_heads: 4\n")
        self.assertIsNone(heads_beside(str(weights)))

    def test_without_torch_it_says_what_to_install(self) -> None:
        if TORCH:
            self.skipTest("torch is here")
        (self.folder / "trunk.pth").write_bytes(b"PK")
        error = io.StringIO()
        with redirect_stderr(error):
            code = main(["convert", str(self.folder), str(self.folder / "x.safetensors")])
        self.assertEqual(code, 3)
        self.assertIn("apt install python3-torch, or pip install torch", error.getvalue())
        self.assertFalse((self.folder / "x.safetensors").exists())

    def test_files_are_left_alone_unless_told(self) -> None:
        with self.assertRaisesRegex(CambiumError, "no such file") as caught:
            convert(self.folder / "nothing.pth", self.folder / "x.safetensors")
        self.assertIs(caught.exception.code, Code.not_found)
        (self.folder / "trunk.pth").touch()
        (self.folder / "x.safetensors").write_text("precious")
        with self.assertRaisesRegex(CambiumError, "--force writes over it"):
            convert(self.folder, self.folder / "x.safetensors")
        with self.assertRaisesRegex(CambiumError, "cannot write"):
            write_safetensors(self.folder / "missing" / "x.safetensors", {}, {})
        with self.assertRaisesRegex(CambiumError, "'x' to be written has type complex128"):
            write_safetensors(self.folder / "y.safetensors", {"x": np.ones(1, complex)}, {})
        self.assertEqual(sorted(one.name for one in self.folder.iterdir()), ["trunk.pth", "x.safetensors"])

    @unittest.skipUnless(TORCH, "torch is not here")
    def test_a_checkpoint_of_torch_becomes_a_stock(self) -> None:
        import torch

        torch.save({name: torch.from_numpy(one) for name, one in toy_trunk().items()}, self.folder / "trunk.pth")
        stock = self.folder / "stock.safetensors"
        with redirect_stdout(io.StringIO()) as out:
            self.assertEqual(main(["convert", str(self.folder), str(stock), "--heads", "2"]), 0)
        self.assertIn("embed_dim 8, num_blocks 2, num_heads 2", out.getvalue())
        tensors, metadata = read_safetensors(stock)
        self.assertEqual(metadata["trained"], "converted from trunk.pth")
        for name, one in toy_trunk().items():
            np.testing.assert_array_equal(tensors[name], one)
        self.assertEqual(len(self.id_by_the_program(stock)), 64)

    @unittest.skipUnless(TORCH, "torch is not here")
    def test_a_checkpoint_that_would_run_something_does_not(self) -> None:
        import pickle

        import torch

        class Hostile:
            def __reduce__(self) -> Any:
                return (Path.touch, (Path(folder) / "it_ran",))

        folder = self.folder
        torch.save({"trunk.blocks.0.norm_1.weight": Hostile()}, folder / "trunk.pth")
        (folder / "raw.pth").write_bytes(pickle.dumps(Hostile()))
        for file in ("trunk.pth", "raw.pth"):
            with self.assertRaisesRegex(CambiumError, "is no checkpoint of weights"):
                convert(folder / file, folder / "x.safetensors", heads=2)
        self.assertFalse((folder / "it_ran").exists())


if __name__ == "__main__":
    unittest.main()
