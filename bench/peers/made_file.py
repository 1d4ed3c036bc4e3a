"""Files that are made once and kept, like a build's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def made(path: Path, sources: list[Path], write: Callable[[Path], None]) -> Path:
    """`path`, written anew if it is not there or older than a source; whole or not at all."""
    newest = max(source.stat().st_mtime for source in sources)
    if path.exists() and path.stat().st_mtime >= newest:
        return path
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
