"""An engine in a process of its own, asked one line at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from problem import Problem

OURS = "cambium"


class Skipped(Exception):
    """This engine cannot take part; why."""


class Failed(Exception):
    """It took part and then did not do what it was asked."""


@dataclass(frozen=True)
class Entry:
    """Who takes part, in what precision."""

    name: str
    precision: str

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"


def _command(entry: Entry, problem: Problem, program: Path, cores: list[int]) -> list[str]:
    batch = [str(problem.robots), str(problem.tokens), str(problem.threads)]
    if entry.name != OURS:
        served = Path(__file__).with_name("serve.py")
        return [
            *(sys.executable, "-B", str(served), entry.name, entry.precision, problem.size.name),
            *(*batch, str(problem.stock)),
        ]
    robots, tokens, threads = batch
    return [
        *(str(program), "bench", "forward", "--stock", str(problem.stock)),
        *("--robots", robots, "--tokens", tokens, "--threads", threads),
        *("--precision", entry.precision, "--cores", ",".join(map(str, cores))),
    ]


class Contender:
    """Started and loaded once made. Its process ends with close(), or when this one does."""

    def __init__(self, entry: Entry, problem: Problem, program: Path, cores: list[int]) -> None:
        """Raises Skipped with a sentence; Failed where ours does not start."""
        self.entry = entry
        self._folder = problem.folder
        self._log = problem.folder / f"{entry.name}-{entry.precision}.log"
        environment = os.environ | {
            "OMP_NUM_THREADS": str(problem.threads),
            "TORCHINDUCTOR_CACHE_DIR": str(problem.folder / "compiled"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                _command(entry, problem, program, cores),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to pass on
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        try:
            ready = self._first_line()
            if ready.get("event") != "ready":
                why = str(ready.get("text", ready))
                # A peer that cannot load is left out; without ours there is nothing to compare.
                lacks = entry.name != OURS or ready.get("code") == "unavailable"
                raise Skipped(why) if lacks else Failed(f"{entry}: {why}")
            if ready["precision"] != entry.precision:
                raise Skipped(f"computes in {ready['precision']} here: {ready.get('chosen', '')}")
        except BaseException:
            self.close()
            raise

    def _read(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self.entry} ended with {self._process.wait()}; {self._log} says more")
        return json.loads(line)

    def _first_line(self) -> dict:
        try:
            return self._read()
        except Failed as why:
            raise (Failed if self.entry.name == OURS else Skipped)(str(why)) from None

    def _ask(self, line: str) -> dict:
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # _read() knows how it ended
        answer = self._read()
        if "error" in answer:
            raise Failed(f"{self.entry}: {answer['error']}")
        return answer

    def set_input(self, path: Path) -> None:
        self._ask(f"input {path}")

    def run(self, passes: int) -> list[float]:
        """Milliseconds of each pass."""
        return self._ask(f"run {passes}")["ms"]

    def output(self) -> bytes:
        path = self._folder / f"{self.entry.name}-{self.entry.precision}.rows"
        self._ask(f"output {path}")
        try:
            return path.read_bytes()
        finally:
            path.unlink()

    def close(self) -> None:
        """Ends the process and all that it started, at once: it owns nothing that is kept."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
