"""`python3 -m tests MODULE…`: runs test modules; exit code 77 if this Python lacks what the package needs."""

import importlib.util
import sys
import unittest

NEEDED = {"zmq": "python3-zmq", "flatbuffers": "python3-flatbuffers", "numpy": "python3-numpy"}
SKIPPED = 77

missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
if missing:
    print(f"skipped: {sys.executable} has no {', '.join(missing)}; scripts/setup installs them for Debian's python3")
    sys.exit(SKIPPED)

suite = unittest.defaultTestLoader.loadTestsFromNames([f"tests.{name}" for name in sys.argv[1:]])
result = unittest.TextTestRunner(verbosity=2).run(suite)
if result.wasSuccessful() and result.testsRun > 0 and len(result.skipped) == result.testsRun:
    sys.exit(SKIPPED)
sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
