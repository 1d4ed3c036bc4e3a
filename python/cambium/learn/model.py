"""The policy that core/learn/policy.hpp trains, as PyTorch modules: stems, an HPT trunk, heads. Names of parameters are
those of the files, so that a state dict is what a stock and its bundles hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cambium.learn.chance import chance, number_of, uniform
from cambium.learn.joint_chain import FEATURES
from cambium.status import CambiumError, Code


@dataclass(frozen=True)
class TrunkShape:
    width: int
    blocks: int
    heads: int
    mlp_ratio: int = 4


@dataclass(frozen=True)
class SharedStem:
    """A stem of the stock. shape: of one observation; empty: the joints stem, which makes one token a joint."""

    sensor: str
    shape: tuple[int, ...]
    widths: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape) if self.shape else FEATURES


@dataclass(frozen=True)
class SharedHead:
    """A joint head of the stock."""

    horizon: int
    widths: tuple[int, ...]


@dataclass(frozen=True)
class StemSpec:
    sensor: str
    size: int  #: numbers that it reads for one token
    shared: bool
    widths: tuple[int, ...] = ()  #: not looked at if shared
    tokens: int = 1


@dataclass(frozen=True)
class BodySpec:
    """One embodiment, or several that are alike but for their numbers: tokens in order, and a head."""

    name: str
    stems: tuple[StemSpec, ...]
    horizon: int
    dof: int
    head: str = "mlp"  #: mean of all rows -> all actions; or "joint": row of a joint, and that mean -> its actions
    head_widths: tuple[int, ...] = ()  #: not looked at if shared
    head_shared: bool = False

    @property
    def tokens(self) -> int:
        return sum(stem.tokens for stem in self.stems)

    @property
    def first_joint(self) -> int:
        """Row of the first joint's token, for a joint head."""
        at = 0
        for stem in self.stems:
            if stem.sensor == "joint_position" and stem.tokens == self.dof:
                return at
            at += stem.tokens
        raise CambiumError(Code.incompatible, f"{self.name}: a joint head needs a token for each of {self.dof} joints")


class Mlp(nn.Module):
    """Linear, SiLU, Linear, … Linear; parameters net.0, net.2, …"""

    def __init__(self, size: int, widths: Sequence[int], out: int) -> None:
        super().__init__()
        sizes = [size, *widths, out]
        layers: list[nn.Module] = []
        for before, after in zip(sizes, sizes[1:]):
            layers += [nn.Linear(before, after), nn.SiLU()]
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    """x += attention(LN(x)); x += mlp(LN(x)). Attention has one learned extra key and value."""

    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.MultiheadAttention(width, heads, add_bias_kv=True, batch_first=True)
        self.norm_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = FeedForward(width, mlp_ratio * width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out


class Trunk(nn.Module):
    def __init__(self, shape: TrunkShape) -> None:
        super().__init__()
        self.width = shape.width
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads, shape.mlp_ratio) for _ in range(shape.blocks))

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens (samples, tokens, width); positions are added here."""
        x = tokens + sinusoid(tokens.shape[1], self.width).to(tokens)
        for block in self.blocks:
            x = block(x)
        return x


class Policy(nn.Module):
    """A trunk, its shared stems, and the bodies that are trained on it."""

    def __init__(
        self,
        shape: TrunkShape,
        shared_stems: Sequence[SharedStem],
        bodies: Sequence[BodySpec],
        shared_head: SharedHead | None = None,
    ) -> None:
        super().__init__()
        self.shape, self.shared_stems = shape, tuple(shared_stems)
        self.bodies, self.shared_head = tuple(bodies), shared_head
        self.trunk = Trunk(shape)
        self.stems = nn.ModuleDict({f"shared_{one.sensor}": self._shared_net(one) for one in shared_stems})
        self.heads = nn.ModuleDict()
        if shared_head is not None:
            self.heads["shared"] = Mlp(2 * shape.width, shared_head.widths, shared_head.horizon)
        for body in bodies:
            for stem in body.stems:
                if not stem.shared:
                    self.stems[f"{body.name}_{stem.sensor}"] = Mlp(stem.size, stem.widths, shape.width)
            if not body.head_shared:
                joint = body.head == "joint"
                size, out = (2 * shape.width, body.horizon) if joint else (shape.width, body.horizon * body.dof)
                self.heads[body.name] = Mlp(size, body.head_widths, out)

    def _shared_net(self, stem: SharedStem) -> Mlp:
        return Mlp(stem.size, stem.widths, self.shape.width)

    def forward(self, inputs: Sequence[Sequence[Tensor]], from_features: bool = False) -> list[Tensor]:
        """inputs[i]: of body i, its sensors' (samples, size) or (samples, tokens, size), normalised; or its features.
        Gives (samples, horizon, dof) of each body, normalised."""
        features = [one[0] for one in inputs] if from_features else self.features(inputs)
        return [self._act(body, one) for body, one in zip(self.bodies, features)]

    def features(self, inputs: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        """What each body's head reads. Bodies with as many tokens go through the trunk together: few large products."""
        tokens = [self._tokens(body, one) for body, one in zip(self.bodies, inputs)]
        rows: list[Tensor] = list(tokens)
        for count in {one.shape[1] for one in tokens}:
            group = [i for i, one in enumerate(tokens) if one.shape[1] == count]
            passed = self.trunk(torch.cat([tokens[i] for i in group]))
            for i, one in zip(group, passed.split([len(tokens[i]) for i in group])):
                rows[i] = one
        return [self._gather(body, one) for body, one in zip(self.bodies, rows)]

    def features_of(self, body: int, inputs: Sequence[Tensor]) -> Tensor:
        """Of one body only."""
        one = self.bodies[body]
        return self._gather(one, self.trunk(self._tokens(one, inputs)))

    def _tokens(self, body: BodySpec, inputs: Sequence[Tensor]) -> Tensor:
        made = []
        for stem, values in zip(body.stems, inputs):
            token = self.stems[f"{'shared' if stem.shared else body.name}_{stem.sensor}"](values)
            made.append(token if token.ndim == 3 else token[:, None])
        return torch.cat(made, dim=1)

    def _gather(self, body: BodySpec, rows: Tensor) -> Tensor:
        mean = rows.mean(dim=1)
        if body.head == "mlp":
            return mean
        joints = rows[:, body.first_joint : body.first_joint + body.dof]
        return torch.cat([joints, mean[:, None].expand_as(joints)], dim=2)

    def _act(self, body: BodySpec, features: Tensor) -> Tensor:
        out: Tensor = self.heads["shared" if body.head_shared else body.name](features)
        if body.head == "joint":
            return out.transpose(1, 2)  # (samples, dof, horizon): joint by joint
        return out.view(-1, body.horizon, body.dof)

    def layout(self) -> list[tuple[str, nn.Parameter]]:
        """All parameters in the order of core/learn's flat vector: the stock first, then body after body."""
        named = dict(self.named_parameters())
        prefixes = ["trunk.", *(f"stems.shared_{one.sensor}." for one in self.shared_stems)]
        if self.shared_head is not None:
            prefixes.append("heads.shared.")
        for body in self.bodies:
            prefixes += [f"stems.{body.name}_{stem.sensor}." for stem in body.stems if not stem.shared]
            prefixes += [] if body.head_shared else [f"heads.{body.name}."]
        return [(name, named[name]) for prefix in prefixes for name in named if name.startswith(prefix)]

    def stock_names(self) -> list[str]:
        """Of the parameters that belong to the stock."""
        shared = ("trunk.", "stems.shared_", "heads.shared.")
        return [name for name, _ in self.layout() if name.startswith(shared)]

    def freeze_stock(self) -> None:
        stock = set(self.stock_names())
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name not in stock)

    def begin(self, seed: int) -> None:
        """First values, bit by bit those of core/learn/parameters.hpp: each tensor depends on its own name only."""
        named = dict(self.named_parameters())
        with torch.no_grad():
            for name, parameter in named.items():
                start, spread = self._first(name, named)
                index = np.arange(parameter.numel(), dtype=np.uint64)
                drawn = start + spread * (2 * uniform(chance(seed, number_of(name), index)) - 1)
                parameter.copy_(torch.from_numpy(drawn.astype(np.float32)).view(parameter.shape))

    def _first(self, name: str, named: dict[str, nn.Parameter]) -> tuple[float, float]:
        """Where a tensor begins, and how far it spreads about it."""
        part, _, kind = name.rpartition(".")
        if part.endswith(("norm_1", "norm_2")):
            return (1.0, 0.0) if kind == "weight" else (0.0, 0.0)
        if kind in ("bias_k", "bias_v"):
            return 0.0, math.sqrt(3.0 / self.shape.width)  # deviation 1 / sqrt(width)
        weight = named[f"{part}.in_proj_weight" if kind.startswith("in_proj") else f"{part}.weight"]
        return 0.0, 1 / math.sqrt(float(weight.shape[1]))


def sinusoid(rows: int, width: int) -> Tensor:
    """(rows, width): angle p / 10000^(2 floor(j/2) / width), sine at even j, cosine at odd."""
    exponent = 2.0 * (np.arange(width) // 2) / width
    angle = np.arange(rows)[:, None] / np.power(10000.0, exponent)
    table = np.where(np.arange(width) % 2 == 0, np.sin(angle), np.cos(angle))
    return torch.from_numpy(table.astype(np.float32))
