"""PyTorch as it is (eager), and with each block compiled."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from peer import Peer, Unavailable
from problem import EPSILON, MLP_RATIO, Problem, Size
from weights import Array, read_stock


class _Attention(nn.Module):
    """nn.MultiheadAttention with add_bias_kv; projections are Linear, which can be quantised."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads, self.head_width = size.heads, size.head_width
        self.in_proj = nn.Linear(size.width, 3 * size.width)
        self.out_proj = nn.Linear(size.width, size.width)
        self.bias_k = nn.Parameter(torch.empty(1, 1, size.width))
        self.bias_v = nn.Parameter(torch.empty(1, 1, size.width))

    def forward(self, x: Tensor) -> Tensor:
        robots, tokens, width = x.shape
        q, k, v = (
            part.view(robots, tokens, self.heads, self.head_width).transpose(1, 2)
            for part in self.in_proj(x).split(width, dim=-1)
        )
        learned = (1, self.heads, 1, self.head_width)
        k = torch.cat([k, self.bias_k.view(learned).expand(robots, -1, -1, -1)], dim=2)
        v = torch.cat([v, self.bias_v.view(learned).expand(robots, -1, -1, -1)], dim=2)
        seen = functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(seen.transpose(1, 2).reshape(robots, tokens, width))


class _Block(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(size.width, EPSILON)
        self.attn = _Attention(size)
        self.norm_2 = nn.LayerNorm(size.width, EPSILON)
        self.mlp = nn.ModuleDict(
            {
                "fc1": nn.Linear(size.width, MLP_RATIO * size.width),
                "fc2": nn.Linear(MLP_RATIO * size.width, size.width),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm_1(x))
        return x + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm_2(x))))


class _Trunk(nn.Module):
    def __init__(self, size: Size) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(size) for _ in range(size.blocks))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def _load(problem: Problem) -> _Trunk:
    with torch.device("meta"):
        trunk = _Trunk(problem.size)
    weights = {
        name.replace("in_proj_", "in_proj."): torch.from_numpy(np.array(values))
        for name, values in read_stock(problem.stock).items()
    }
    trunk.load_state_dict(weights, assign=True)
    return trunk.eval()


class PyTorch(Peer):
    def __init__(self, problem: Problem, precision: str) -> None:
        super().__init__(problem)
        torch.set_num_threads(problem.threads)
        torch.set_num_interop_threads(1)
        torch.set_grad_enabled(False)
        self._trunk = _load(problem)
        self._type = torch.bfloat16 if precision == "bf16" else torch.float32
        self._trunk.to(self._type)
        if precision == "int8":
            self._quantise()

    def _quantise(self) -> None:
        warnings.simplefilter("ignore")  # it is going to move to a package of its own
        self._trunk = torch.ao.quantization.quantize_dynamic(
            self._trunk, {nn.Linear}, dtype=torch.qint8
        )

    def set_input(self, rows: Array) -> None:
        self._rows = torch.from_numpy(rows)

    def forward(self) -> None:
        with torch.inference_mode():
            self._features = self._trunk(self._rows.to(self._type)).float()

    def output(self) -> Array:
        return self._features.numpy()


class CompiledPyTorch(PyTorch):
    """All blocks share what is compiled for the first: whole trunks take minutes, and no gain was seen."""

    def __init__(self, problem: Problem, precision: str) -> None:
        if precision == "int8":
            raise Unavailable("PyTorch does not compile its quantised layers")
        super().__init__(problem, precision)
        for block in self._trunk.blocks:
            block.compile(dynamic=False)
