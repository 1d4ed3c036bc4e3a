"""ONNX Runtime: all graph optimisations; int8 as its own dynamic quantisation makes it."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from made_file import made
from onnx_graph import INPUT, OUTPUT, ROBOTS, graph_file
from peer import Peer, Unavailable
from problem import Problem
from weights import Array


def _quantise(graph: Path, to: Path) -> None:
    logging.getLogger().setLevel(logging.ERROR)  # it recommends steps that are for other models
    # Signed weights, because with them the products use VNNI; Attention stays as it is.
    quantize_dynamic(
        graph,
        to,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
    )


class OnnxRuntime(Peer):
    def __init__(self, problem: Problem, precision: str) -> None:
        super().__init__(problem)
        if precision == "bf16":
            raise Unavailable("ONNX Runtime has no bf16 products on a CPU")
        path = graph_file(problem.size, problem.tokens, problem.stock)
        if precision == "int8":
            quantised = path.with_name(path.stem + "-dynamic.onnx")
            path = made(quantised, [path, Path(__file__)], partial(_quantise, path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = problem.threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_free_dimension_override_by_name(ROBOTS, problem.robots)
        # Its threads spin during a pass, not while it is the others' turn.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self._binding = self._session.io_binding()
        self._features = np.empty(problem.shape, np.float32)
        self._binding.bind_output(
            OUTPUT, "cpu", 0, np.float32, problem.shape, self._features.ctypes.data
        )

    def set_input(self, rows: Array) -> None:
        self._rows = rows  # bound, not copied
        self._binding.bind_cpu_input(INPUT, rows)

    def forward(self) -> None:
        self._session.run_with_iobinding(self._binding)

    def output(self) -> Array:
        return self._features
