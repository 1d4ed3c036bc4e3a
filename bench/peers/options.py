"""Arguments of bench/peers/run; nothing here needs more than Python itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What each peer needs besides numpy and onnx.
PACKAGES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "pytorch": "torch",
    "pytorch-compiled": "torch",
}
PRECISIONS = ("f32", "bf16", "int8")
_SIZES = ("small", "base", "large", "xlarge")


def _names(valid: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in valid:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(valid)}")
        return names

    return parse


def _counts(text: str) -> list[int]:
    counts = [int(one) if one.isdigit() else 0 for one in text.split(",")]
    if not all(1 <= count <= 1024 for count in counts):
        raise argparse.ArgumentTypeError(f"'{text}', expected numbers from 1, as in 1,4,8")
    return counts


def _cores(text: str) -> list[int]:
    cores = text.split(",")
    if not all(core.isdigit() for core in cores):
        raise argparse.ArgumentTypeError(f"'{text}', expected numbers of cores, as in 0,1")
    return [int(core) for core in cores]


def _seconds(text: str) -> float:
    if not 0 < (seconds := float(text)) <= 60:
        raise argparse.ArgumentTypeError(f"{text}, expected more than 0 and at most 60")
    return seconds


def _positive(text: str) -> int:
    return _counts(text)[0]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/peers/run",
        description="The same weights through Cambium, ONNX Runtime, OpenVINO and PyTorch.",
        epilog="example: bench/peers/run --quick --json peers.json",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="sizes small and base, 1 and 4 robots, 3 rounds")
    add("--sizes", type=_names(_SIZES), metavar="A,B", help=f"default: {','.join(_SIZES)}")
    add("--robots", type=_counts, metavar="N,M", help="robots in a batch; default: 1,4,8,16")
    add("--tokens", type=_positive, default=32, metavar="N", help="of each robot; default: 32")
    add("--threads", type=_counts, metavar="N,M", help="default: 1,2")
    add(
        "--cores",
        type=_cores,
        metavar="A,B",
        help="for all engines, the first ones where there are fewer threads; default: all allowed",
    )
    add(
        "--peers",
        type=_names(tuple(PACKAGES)),
        metavar="A,B",
        default=list(PACKAGES),
        help=f"default: {','.join(PACKAGES)}",
    )
    add(
        "--precisions",
        type=_names(PRECISIONS),
        metavar="A,B",
        default=list(PRECISIONS),
        help=f"of Cambium and of the peers; default: {','.join(PRECISIONS)}",
    )
    add("--rounds", type=_positive, metavar="N", help="turns of each engine; default: 7")
    add("--turn", type=_seconds, default=0.3, metavar="SECONDS", help="about; default: 0.3")
    add("--json", type=Path, metavar="FILE", help="for programs; written after each comparison")
    add(
        "--program",
        type=Path,
        metavar="FILE",
        default=ROOT / "build/release/bin/cambium",
        help="default: build/release/bin/cambium",
    )
    add(
        "--folder",
        type=Path,
        metavar="FOLDER",
        default=ROOT / "build/peers",
        help="environment, weights and graphs, kept for the next run; default: build/peers",
    )
    add("--offline", action="store_true", help="install nothing")
    options = parser.parse_args(arguments)
    options.sizes = options.sizes or (["small", "base"] if options.quick else list(_SIZES))
    options.robots = options.robots or ([1, 4] if options.quick else [1, 4, 8, 16])
    options.threads = options.threads or [1, 2]
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.folder = options.folder.resolve()
    options.program = options.program.resolve()
    return options
