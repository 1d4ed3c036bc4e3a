"""Where a host listens if its configuration does not say."""

from __future__ import annotations

import os


def default_endpoint(name: str = "control") -> str:
    """Endpoint of the host of this user: "control" for controllers, "admin" for the command line."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = os.path.join(runtime, "cambium") if runtime.startswith("/") else f"/tmp/cambium-{os.getuid()}"
    return f"ipc://{folder}/{name}"
