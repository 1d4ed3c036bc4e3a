"""What was measured, for programs and for people."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from statistics import median

from contender import OURS, Entry
from problem import Problem


@dataclass
class Row:
    """One pair. Ratios are the peer's time over ours, one for each round."""

    size: str
    robots: int
    threads: int
    peer: str
    peer_precision: str
    our_precision: str
    ratio_p50: float
    ratio_min: float
    ratio_max: float
    max_rel_diff: float  # largest difference of two features over the peer's largest feature
    peer_ms: float
    our_ms: float


@dataclass
class Skip:
    size: str
    robots: int
    threads: int
    peer: str
    peer_precision: str
    why: str


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)
    load: float = 0  # of the machine, before anything ran

    def skip(self, problem: Problem, entry: Entry, why: str) -> bool:
        """True if that is news: the same is said once, however many batches it holds for."""
        who = (entry.name, entry.precision)
        known = any((skip.peer, skip.peer_precision) == who for skip in self.skipped)
        place = (problem.size.name, problem.robots, problem.threads)
        self.skipped.append(Skip(*place, *who, why))
        return not known

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        text = json.dumps(asdict(self) | machine(), indent=1)
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_text(text + "\n")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def machine() -> dict[str, object]:
    """What the numbers depend on."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in reversed(facts) if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    flags = named.get("flags", "").split()
    interesting = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    versions = {}
    for package in ("onnxruntime", "openvino", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    return {
        "machine": {
            "processor": named.get("model name", "unknown"),
            "cores": os.cpu_count(),
            "features": [flag for flag in interesting if flag in flags],
        },
        "versions": versions,
    }


def rows_of(
    problem: Problem, times: dict[Entry, list[float]], differences: dict[tuple[Entry, Entry], float]
) -> list[Row]:
    """times: median milliseconds of each round, for all who took part."""
    rows = []
    for (ours, peer), difference in differences.items():
        ratios = [theirs / own for theirs, own in zip(times[peer], times[ours])]
        rows.append(
            Row(
                size=problem.size.name,
                robots=problem.robots,
                threads=problem.threads,
                peer=peer.name,
                peer_precision=peer.precision,
                our_precision=ours.precision,
                ratio_p50=median(ratios),
                ratio_min=min(ratios),
                ratio_max=max(ratios),
                max_rel_diff=difference,
                peer_ms=median(times[peer]),
                our_ms=median(times[ours]),
            )
        )
    return rows


def heading(problem: Problem) -> str:
    robots, threads = problem.robots, problem.threads
    return (
        f"{problem.size.name}, {robots} robot{'s' * (robots > 1)} of {problem.tokens} tokens, "
        f"{threads} thread{'s' * (threads > 1)}"
    )


def _ratios(rows: list[Row]) -> str:
    return "".join(f"{r.ratio_p50:.2f} ({r.ratio_min:.2f} to {r.ratio_max:.2f})" for r in rows)


def table(problem: Problem, times: dict[Entry, list[float]], rows: list[Row]) -> str:
    """Everybody's time; and for each of our precisions how many times as long the peer takes."""
    ours = [entry for entry in times if entry.name == OURS]
    head = f"{heading(problem):<52}{'ms':>9}"
    head += "".join(f"{f'/ our {entry.precision}':>24}" for entry in ours)
    lines = [head]
    for entry in sorted(times, key=lambda entry: median(times[entry])):
        line = f"  {str(entry):<50}{median(times[entry]):>9.2f}"
        for own in ours:
            pair = (entry.name, entry.precision, own.precision)
            found = [r for r in rows if (r.peer, r.peer_precision, r.our_precision) == pair]
            line += f"{_ratios(found):>24}"
        lines.append(line.rstrip())
    return "\n".join(lines)
