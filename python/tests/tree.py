"""Where things are: the sources beside this package, what was built by the environment of ctest."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "python"
SCHEMA = ROOT / "interfaces" / "schema"
MODELS = ROOT / "models"
GOLDEN = ROOT.parent / "shared" / "golden"


def built(name: str) -> str:
    """A path that ctest passes: CAMBIUM_PROGRAM, PLANAR3, …"""
    path = os.environ.get(name, "")
    if not path:
        raise LookupError(f"{name} is not set: run these tests with ctest -R python")
    return path
