"""One line that tells how far a training is, as core/learn/progress_line.hpp draws it."""

from __future__ import annotations

import math
import time
from typing import TextIO

from cambium.learn.trainer import Progress

_CELLS = 24


def progress_line(progress: Progress, left: int) -> str:
    """left [s], below 0: not known"""
    done = progress.step / max(1, progress.steps)
    cells = int(done * _CELLS)
    line = f"[{'#' * cells}{'.' * (_CELLS - cells)}] {math.floor(100 * done):3}%  {progress.step}/{progress.steps}"
    line += f"  loss {progress.training:.4f}"
    if math.isfinite(progress.validation):
        line += f"  held out {progress.validation:.4f}"
    return line + (f"  {left // 60}:{left % 60:02} left" if left >= 0 else "")


class ProgressLine:
    """On a terminal one line that is drawn again and again, elsewhere ten lines."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._terminal = out, out.isatty()
        self._begin: tuple[float, int] | None = None
        self._last, self._tenth, self._drawn = 0.0, -1, False

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._begin is None:
            self._begin = (now, progress.step)
            self._tenth = (progress.step - 1) * 10 // max(1, progress.steps)
        tenth = progress.step * 10 // max(1, progress.steps)
        last = progress.step == progress.steps
        quiet = not last and self._drawn and now - self._last < 0.1 if self._terminal else tenth == self._tenth
        if quiet:
            return
        self._last, self._tenth, self._drawn = now, tenth, True
        begun, first = self._begin
        steps = progress.step - first
        left = round((now - begun) / steps * (progress.steps - progress.step)) if steps > 0 else -1
        line = progress_line(progress, left)
        # Blanks wipe what a longer line left behind.
        self._out.write(f"\r{line:<90}" if self._terminal else line + "\n")
        self._out.flush()

    def close(self) -> None:
        if self._drawn and self._terminal:
            self._out.write("\n")
