"""The package itself: its version, its types, and that pip installs it where there is no network."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cambium import Code, Drive, __version__
from cambium.version import WIRE_PROTOCOL
from tests.tree import PYTHON, ROOT


class Package(unittest.TestCase):
    def test_its_versions_are_those_of_version_hpp(self) -> None:
        header = (ROOT / "interfaces" / "cambium" / "version.hpp").read_text()
        self.assertIn(f'kProjectVersion[] = "{__version__}"', header)
        self.assertIn(f"kWireProtocol = {WIRE_PROTOCOL};", header)

    def test_its_codes_and_drives_are_those_of_the_headers(self) -> None:
        for kind, file, name in ((Code, "status.hpp", "Code"), (Drive, "client.hpp", "Drive")):
            text = (ROOT / "interfaces" / "cambium" / file).read_text()
            body = re.search(rf"enum class {name} : [\w:]+ {{(.*?)}};", text, re.S)
            assert body is not None
            theirs = {word: int(number) for word, number in re.findall(r"^\s*(\w+) = (\d+),", body[1], re.M)}
            ours = {one.name: int(one) for one in kind if one.name != "unknown"}
            self.assertEqual(ours, theirs)
            for word, shown in re.findall(rf'case {name}::(\w+):\s*return "([^"]*)";', text):
                self.assertEqual(str(kind[word]), shown)

    def test_pip_installs_it_without_a_network_and_it_imports(self) -> None:
        if importlib.util.find_spec("pip") is None or importlib.util.find_spec("wheel") is None:
            self.skipTest("python3-pip, python3-venv and python3-wheel are needed; scripts/setup installs them")
        with tempfile.TemporaryDirectory(prefix="cambium-py-") as folder:
            there = Path(folder)
            # What a build writes beside its sources is not for the tree.
            source = there / "python"
            subprocess.run(["cp", "-r", PYTHON, source], check=True)
            subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", there / "venv"], check=True)
            python = there / "venv" / "bin" / "python"
            install = [python, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--quiet", source]
            done = subprocess.run(install, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            said = subprocess.run(
                [
                    python,
                    "-c",
                    "import cambium, pathlib; print(cambium.__version__, pathlib.Path(cambium.__file__).parent)",
                ],
                cwd=there,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            self.assertEqual(said[0], __version__)
            self.assertTrue(said[1].startswith(str(there / "venv")), said[1])
            self.assertTrue((Path(said[1]) / "py.typed").exists())
            self.assertTrue((Path(said[1]) / "_wire" / "reader.py").exists())
            verbs = subprocess.run([python, "-m", "cambium", "--help"], cwd=there, capture_output=True, text=True)
            self.assertIn("rollback", verbs.stdout)

    def test_its_types_are_sound(self) -> None:
        if importlib.util.find_spec("mypy") is None:
            self.skipTest(f"mypy is not here: {sys.executable} -m pip install mypy")
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--cache-dir=/dev/null"], cwd=PYTHON, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
