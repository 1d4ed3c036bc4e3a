"""Runs every engine on the same rows, in turns, and holds their outputs against each other."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from statistics import median

import numpy as np

import options
from contender import OURS, Contender, Entry, Failed, Skipped
from made_file import made
from problem import SIZES, Problem
from report import Report, heading, rows_of, table
from weights import WEIGHTS, write_stock

# How far an engine may be from exact arithmetic, relative to the largest feature; of a pair, both.
TOLERANCE = {"f32": 5e-5, "bf16": 4e-2, "int8": 5e-2}
_SETTLE_S = 0.03  # threads of the last one go to sleep
_MOST_PASSES = 200  # in a turn
_IDLE = 0.5  # load up to which nobody else is in the way


class Disagree(Exception):
    """Two engines do not compute the same."""


def say(sentence: str) -> None:
    print(f"bench/peers: {sentence}", file=sys.stderr, flush=True)


class Progress:
    """One line that is written over; nothing where nobody looks."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def show(self, text: str) -> None:
        if self._terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def contenders(
    entries: list[Entry], problem: Problem, wanted: Namespace, report: Report, progress: Progress
) -> Iterator[dict[Entry, Contender]]:
    """All that can take part, loaded; ended in any case."""
    running: dict[Entry, Contender] = {}
    cores = wanted.cores[: problem.threads]
    try:
        for entry in entries:
            progress.show(f"{heading(problem)}: loading {entry}")
            try:
                running[entry] = Contender(entry, problem, wanted.program, cores)
            except Skipped as why:
                sentence = " ".join(str(why).split())
                if report.skip(problem, entry, sentence):
                    progress.show("")
                    say(f"{entry} is skipped: {sentence}")
        yield running
    finally:
        for contender in running.values():
            contender.close()


def outputs(running: dict[Entry, Contender], problem: Problem) -> dict[Entry, np.ndarray]:
    rng = np.random.default_rng(problem.robots)
    path = problem.folder / "input.rows"
    rng.standard_normal(problem.shape, dtype=np.float32).tofile(path)
    found = {}
    try:
        for entry, contender in running.items():
            contender.set_input(path)
            contender.run(1)
            found[entry] = np.frombuffer(contender.output(), np.float32)
    finally:
        path.unlink()
    return found


def differences(found: dict[Entry, np.ndarray]) -> dict[tuple[Entry, Entry], float]:
    """Of ours and each peer; raises Disagree with all that are too far apart."""
    pairs, wrong = {}, []
    for ours in (entry for entry in found if entry.name == OURS):
        for peer in (entry for entry in found if entry.name != OURS):
            largest = float(np.abs(found[peer]).max())
            difference = float(np.abs(found[ours] - found[peer]).max()) / largest
            pairs[ours, peer] = difference
            bound = TOLERANCE[ours.precision] + TOLERANCE[peer.precision]
            if not difference <= bound:  # also where it is no number
                wrong.append(f"{ours} and {peer} differ by {difference:.1e}, at most {bound:.1e}")
    if wrong:
        raise Disagree("; ".join(wrong))
    return pairs


def measure(
    running: dict[Entry, Contender], problem: Problem, wanted: Namespace, progress: Progress
) -> dict[Entry, list[float]]:
    """Median milliseconds of each round."""
    passes = {}
    for entry, contender in running.items():
        took = 1e-3 * median(contender.run(3))
        passes[entry] = int(min(max(wanted.turn / took, 3), _MOST_PASSES))
    times: dict[Entry, list[float]] = {entry: [] for entry in running}
    order = list(running)
    for turn in range(wanted.rounds):
        progress.show(f"{heading(problem)}: round {turn + 1} of {wanted.rounds}")
        for entry in order:
            time.sleep(_SETTLE_S)
            running[entry].run(1)  # brings its weights back into the caches
            times[entry].append(median(running[entry].run(passes[entry])))
        order.append(order.pop(0))  # nobody always follows the same one
    progress.show("")
    return times


def compare(problem: Problem, wanted: Namespace, report: Report, progress: Progress) -> None:
    entries = [
        Entry(name, precision) for name in [OURS, *wanted.peers] for precision in wanted.precisions
    ]
    with contenders(entries, problem, wanted, report, progress) as running:
        if all(entry.name != OURS for entry in running):
            raise Failed(f"{OURS} runs in none of {', '.join(wanted.precisions)}")
        found = differences(outputs(running, problem))
        times = measure(running, problem, wanted, progress)
    rows = rows_of(problem, times, found)
    report.rows += rows
    print(table(problem, times, rows) + "\n", flush=True)
    if wanted.json:
        report.write(wanted.json)


def run(wanted: Namespace, report: Report) -> None:
    progress = Progress()
    if report.load > _IDLE:
        say(f"the machine is busy (load {report.load:.1f}): times will be of little worth")
    for name in wanted.sizes:
        size = SIZES[name]
        folder = wanted.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        progress.show(f"{name}: making weights up")
        stock = made(folder / "stock.safetensors", [WEIGHTS], partial(write_stock, size))
        for threads in wanted.threads:
            if threads > len(wanted.cores):
                say(f"{threads} threads are skipped: there are {len(wanted.cores)} cores")
                continue
            for robots in wanted.robots:
                problem = Problem(size, robots, wanted.tokens, threads, stock)
                compare(problem, wanted, report, progress)


def main(arguments: list[str]) -> int:
    wanted = options.parse(arguments)
    allowed = sorted(os.sched_getaffinity(0))
    wanted.cores = wanted.cores or allowed
    if absent := set(wanted.cores) - set(allowed):
        say(f"--cores: may not run on {sorted(absent)}, only on {allowed}")
        return 2
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # both end it the same way
    report = Report(load=os.getloadavg()[0])
    with (wanted.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is using {wanted.folder}; name another with --folder")
            return 1
        try:
            run(wanted, report)
        except KeyboardInterrupt:
            say("interrupted")
            return 1
        except Disagree as why:
            say(f"OUTPUTS DISAGREE: {why}")
            return 1
        except Failed as why:
            say(str(why))
            return 1
    if not report.rows:
        say("nothing was compared")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
