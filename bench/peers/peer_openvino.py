"""OpenVINO: one stream for latency; int8 as weights that it multiplies with quantised rows."""

from __future__ import annotations

import openvino

from onnx_graph import graph_file
from peer import Peer, Unavailable
from problem import Problem
from weights import Array

# Rows are quantised in groups: of 0, 32, 64, 128 and 256 numbers, from here on it was fastest.
_GROUP = 128


class OpenVino(Peer):
    def __init__(self, problem: Problem, precision: str) -> None:
        super().__init__(problem)
        core = openvino.Core()
        if precision.upper() not in [*core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"), "F32"]:
            raise Unavailable(f"OpenVINO does not do {precision} on this processor")
        int8 = precision == "int8"
        model = core.read_model(graph_file(problem.size, problem.tokens, problem.stock, int8))
        model.reshape(list(problem.shape))
        properties: dict[str, object] = {
            "INFERENCE_PRECISION_HINT": "f32" if int8 else precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": problem.threads,
            "NUM_STREAMS": 1,
        }
        if int8:
            properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = _GROUP
        self._request = core.compile_model(model, "CPU", properties).create_infer_request()

    def set_input(self, rows: Array) -> None:
        self._rows = rows  # shared, not copied
        self._request.set_input_tensor(openvino.Tensor(rows, shared_memory=True))

    def forward(self) -> None:
        self._request.infer()

    def output(self) -> Array:
        return self._request.get_output_tensor(0).data
