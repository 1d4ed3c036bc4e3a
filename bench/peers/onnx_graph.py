"""The trunk as an ONNX graph, written as one would write it for the engines that read it.

Rows are two-dimensional, so that each product is a Gemm that takes the weight as the stock has it
and adds the bias; attention is the standard operator, which engines have a fused kernel for. The
learned key and value go in as its past: softmax does not mind the order of keys. Of the forms that
were tried (primitive operators, MultiHeadAttention and Attention of the extended set; MatMul or
Gemm), this one was the fastest or within 2 % of it in both engines.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from made_file import made
from problem import EPSILON, Size
from weights import Array, Place, places, read_stock

INPUT, OUTPUT, ROBOTS = "rows", "features", "robots"  # engines fix the number of robots themselves
_OPSET = 23  # the first with Attention
_IR = 10


class _Builder:
    """Nodes and weights as they are added; a node is called after what it makes."""

    def __init__(self, weights: dict[str, Array], where: dict[str, Place] | None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self.weights = weights
        self._where = where

    def constant(self, name: str, values: Array) -> str:
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, inputs: list[str], *outputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, outputs, outputs[0], **attributes))
        return outputs[0]

    def vector(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def matrix(self, name: str) -> str:
        """A product's weight: where it lies in the stock, or as int8 with a scale per output."""
        values = self.weights[name]
        if self._where is not None:
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in self._where[name].items():
                tensor.external_data.add(key=key, value=str(value))
            self.tensors.append(tensor)
            return name
        scale = (np.abs(values).max(axis=1) / 127).astype(np.float32)
        rounded = np.rint(values / scale[:, None]).astype(np.int8)
        parts = [self.constant(name + ".int8", rounded), self.constant(name + ".scale", scale)]
        return self.add("DequantizeLinear", parts, name, axis=0)

    def norm(self, x: str, name: str) -> str:
        inputs = [x, self.vector(name + ".weight"), self.vector(name + ".bias")]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=EPSILON)

    def linear(self, x: str, weight: str, bias: str, name: str) -> str:
        return self.add("Gemm", [x, self.matrix(weight), self.vector(bias)], name, transB=1)


def _attention(graph: _Builder, normed: str, name: str, size: Size, tokens: int) -> str:
    qkv = graph.linear(normed, name + "in_proj_weight", name + "in_proj_bias", name + "qkv")
    graph.add("Split", [qkv], *(name + part for part in "qkv"), axis=-1, num_outputs=3)
    by_robot = graph.constant(name + "by_robot", np.array([-1, tokens, size.width]))
    inputs = [graph.add("Reshape", [name + part, by_robot], name + part + "s") for part in "qkv"]
    past = []
    for bias in ("bias_k", "bias_v"):
        row = graph.weights[name + bias].reshape(1, size.heads, 1, size.head_width)
        learned = graph.constant(name + bias, row)
        past.append(graph.add("Expand", [learned, "each"], name + "past_" + bias))
    graph.add(
        "Attention",
        [*inputs, "", *past],
        *(name + made for made in ("seen", "present_k", "present_v")),
        q_num_heads=size.heads,
        kv_num_heads=size.heads,
    )
    seen = graph.add("Reshape", [name + "seen", "by_row"], name + "rows")
    return graph.linear(seen, name + "out_proj.weight", name + "out_proj.bias", name + "out")


def _mlp(graph: _Builder, normed: str, name: str) -> str:
    wide = graph.linear(normed, name + "fc1.weight", name + "fc1.bias", name + "wide")
    bent = graph.add("Gelu", [wide], name + "gelu")
    return graph.linear(bent, name + "fc2.weight", name + "fc2.bias", name + "out")


def _build(size: Size, tokens: int, stock: Path, int8: bool) -> onnx.ModelProto:
    graph = _Builder(read_stock(stock), None if int8 else places(stock))
    graph.constant("by_row", np.array([-1, size.width]))
    graph.add("Shape", [INPUT], "robots_here", start=0, end=1)
    tail = graph.constant("each_tail", np.array([1, 1, 1]))
    graph.add("Concat", ["robots_here", tail], "each", axis=0)
    x = graph.add("Reshape", [INPUT, "by_row"], "x")
    for block in range(size.blocks):
        name = f"blocks.{block}."
        attended = _attention(graph, graph.norm(x, name + "norm_1"), name + "attn.", size, tokens)
        x = graph.add("Add", [x, attended], name + "x_1")
        added = _mlp(graph, graph.norm(x, name + "norm_2"), name + "mlp.")
        x = graph.add("Add", [x, added], name + "x_2")
    by_robot = graph.constant("by_robot", np.array([-1, tokens, size.width]))
    graph.add("Reshape", [x, by_robot], OUTPUT)
    shape = [ROBOTS, tokens, size.width]
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end in (INPUT, OUTPUT)]
    trunk = helper.make_graph(graph.nodes, "trunk", ends[:1], ends[1:], graph.tensors)
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(trunk, opset_imports=opsets, ir_version=_IR)


def graph_file(size: Size, tokens: int, stock: Path, int8: bool = False) -> Path:
    """The graph beside the stock."""
    path = stock.with_name(f"trunk-{tokens}{'-int8' if int8 else ''}.onnx")
    sources = [stock, Path(__file__)]
    return made(path, sources, lambda to: onnx.save(_build(size, tokens, stock, int8), to))
