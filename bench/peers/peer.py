"""One engine with the trunk loaded, ready to be timed."""

from __future__ import annotations

import importlib
import time
from abc import ABC, abstractmethod

from problem import Problem
from weights import Array

# Where the class of each engine is.
PEERS = {
    "onnxruntime": ("peer_onnxruntime", "OnnxRuntime"),
    "openvino": ("peer_openvino", "OpenVino"),
    "pytorch": ("peer_pytorch", "PyTorch"),
    "pytorch-compiled": ("peer_pytorch", "CompiledPyTorch"),
}


class Unavailable(Exception):
    """Why this engine cannot do this here; a reason to skip it."""


class Peer(ABC):
    """Rows in, features out: f32 (robots, tokens, width) in memory that the caller sees."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @abstractmethod
    def set_input(self, rows: Array) -> None:
        """For all passes that follow."""

    @abstractmethod
    def forward(self) -> None:
        """What is timed."""

    @abstractmethod
    def output(self) -> Array:
        """Of the last pass."""

    def run(self, passes: int) -> list[float]:
        """Seconds of each pass."""
        seconds = []
        for _ in range(passes):
            start = time.perf_counter()
            self.forward()
            seconds.append(time.perf_counter() - start)
        return seconds


def load(name: str, problem: Problem, precision: str) -> Peer:
    """Raises Unavailable, or whatever the engine raises."""
    module, kind = PEERS[name]
    return getattr(importlib.import_module(module), kind)(problem, precision)
