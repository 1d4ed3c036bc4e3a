"""The examples as a user runs them, against a real host."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import unittest

from tests.host import PATIENCE, HostTest
from tests.tree import MODELS, PYTHON


class Examples(HostTest):
    def run_example(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, PYTHON / "examples" / name, *arguments],
            env={**os.environ, "PYTHONPATH": str(PYTHON)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, example: subprocess.Popen[str]) -> str:
        out, _ = example.communicate(timeout=3 * PATIENCE)
        self.assertEqual(example.returncode, 0, out + self.processes.said())
        return out

    def test_the_arm_reaches_its_goals_and_its_weights_are_swapped_meanwhile(self) -> None:
        arm = self.run_example("planar_arm.py", "--endpoint", self.processes.control, "--goals", "5")
        bundle = str(MODELS / "planar3_regrafted.safetensors")
        told = self.finish(
            self.run_example("swap_while_it_moves.py", "--admin", self.processes.admin, "--bundle", bundle)
        )
        self.assertIn("robot 'left': weights swapped, generation 2", told)
        self.assertIn("same trunk: True", told)
        self.assertRegex(self.finish(arm), r"reached [45] of 5\n")

    def test_the_mujoco_arm_runs_or_says_what_it_needs(self) -> None:
        example = self.run_example("mujoco_arm.py", "--endpoint", self.processes.control, "--seconds", "3")
        out, _ = example.communicate(timeout=3 * PATIENCE)
        if importlib.util.find_spec("mujoco") is None:
            self.assertEqual((example.returncode, out.count("pip install mujoco")), (1, 1))
        else:
            self.assertEqual(example.returncode, 0, out)
            self.assertRegex(out, r"300 ticks, +\d+ mm from the goal")


if __name__ == "__main__":
    unittest.main()
