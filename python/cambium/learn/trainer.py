"""The training loop: draw, forward, back, step. Rows, losses and schedule are those of core/learn/trainer.hpp."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from cambium.learn.chance import below, chance, number_of
from cambium.learn.dataset import Dataset, spaced
from cambium.learn.distributed import Processes
from cambium.learn.model import Policy
from cambium.learn.optimiser import AdamW
from cambium.learn.recipe import Recipe
from cambium.status import CambiumError, Code

_CURVE_POINTS = 50  # validations in a training
_MOST_VALIDATION_ROWS = 512  # of a body, whose datasets may be many
_MOST_FEATURES = 128 << 20  # numbers that are kept: 512 MiB


@dataclass(frozen=True)
class LossPoint:
    """One point of the loss curve."""

    step: int  #: steps done
    training: float  #: mean since the point before
    validation: float  #: on held-out episodes; NaN without any


@dataclass(frozen=True)
class Progress:
    step: int
    steps: int
    training: float  #: loss: mean since the last point of the curve
    validation: float  #: at the last point; NaN before the first


@dataclass
class TrainingState:
    """What changes while training, beside weights and moments."""

    step: int = 0  #: steps done
    curve: list[LossPoint] = field(default_factory=list)
    running_loss: float = 0.0  #: sum since the last point of the curve
    running_steps: int = 0


class BodyRows:
    """What one body of the policy learns from: the rows of one dataset, or of several, as if they were one."""

    def __init__(self, datasets: Sequence[Dataset], device: torch.device) -> None:
        first = np.cumsum([0, *(len(one.targets) for one in datasets)])
        join = np.concatenate if len(datasets) > 1 else lambda arrays: arrays[0]
        self.inputs = [
            _tensor(join([one.inputs[i].values for one in datasets]), device) for i in range(len(datasets[0].inputs))
        ]
        self.targets = _tensor(join([one.targets for one in datasets]), device)
        self.training = np.concatenate([one.training + at for one, at in zip(datasets, first)])
        self.validation = spaced(
            np.concatenate([one.validation + at for one, at in zip(datasets, first)]), _MOST_VALIDATION_ROWS
        )


class Trainer:
    """Trains a policy on one or several datasets for each of its bodies. Where all but heads is frozen, what heads read
    is computed once for every row, and only heads are run after that."""

    def __init__(
        self, policy: Policy, data: Sequence[Sequence[Dataset]], recipe: Recipe, processes: Processes
    ) -> None:
        self._policy, self._recipe, self._processes = policy.to(processes.device), recipe, processes
        self._mine = processes.share(recipe.batch)
        self._rows = [BodyRows(datasets, processes.device) for datasets in data]
        trained = [parameter for _, parameter in policy.layout() if parameter.requires_grad]
        self.optimiser = AdamW(recipe, trained)
        self._module: nn.Module = processes.together(policy)
        self._features_once = self._only_heads_are_trained()
        if self._features_once:
            for body, rows in enumerate(self._rows):
                rows.inputs = [self._features(body, rows)]

    def step(self, step: int) -> float:
        """One step; this process's share of the loss, which is the mean over bodies."""
        indices = [self._draw(body, step) for body in range(len(self._rows))]
        outputs = self._module(self._inputs(indices), self._features_once)
        loss = torch.zeros((), device=self._processes.device)
        for rows, index, out in zip(self._rows, indices, outputs):
            summed = smooth_l1_loss(out, rows.targets[index], reduction="sum", beta=self._recipe.beta)
            loss = loss + summed / (len(self._rows) * self._recipe.batch * rows.targets[0].numel())
        # DistributedDataParallel divides by the count of processes; a step's gradient is their sum.
        (loss * self._processes.count).backward()
        self.optimiser.step(step)
        return float(loss.detach())

    @torch.no_grad()
    def validate(self) -> float:
        """Mean loss on held-out rows over bodies that have some; NaN if none has. Each process computes all of it."""
        indices = [_index(rows.validation, self._processes.device) for rows in self._rows]
        outputs = self._policy(self._inputs(indices), self._features_once)
        losses = [
            float(smooth_l1_loss(out, rows.targets[index], beta=self._recipe.beta))
            for rows, index, out in zip(self._rows, indices, outputs)
            if len(index)
        ]
        return sum(losses) / len(losses) if losses else math.nan

    def run(self, state: TrainingState, go_on: Callable[[Progress], bool]) -> None:
        """Steps until recipe.steps, or until `go_on` (called after each) says no in any process."""
        steps = self._recipe.steps
        every = max(1, steps // _CURVE_POINTS)
        asked = False
        while state.step < steps:
            loss, stop = self._processes.sum([self.step(state.step), float(asked)])
            state.step += 1
            if not math.isfinite(loss):
                raise CambiumError(
                    Code.not_finite,
                    f"the loss is {loss} at step {state.step}; lower the learning rate ({self._recipe.learning_rate})",
                )
            state.running_loss += loss
            state.running_steps += 1
            mean = state.running_loss / state.running_steps
            if state.step % every == 0 or state.step == steps:
                state.curve.append(LossPoint(state.step, mean, self.validate()))
                state.running_loss, state.running_steps = 0.0, 0
            last = state.curve[-1].validation if state.curve else math.nan
            asked = not go_on(Progress(state.step, steps, mean, last))
            # Alone, a wish is known at once; with others it travels with the next step's loss.
            if stop or (asked and self._processes.count == 1):
                break

    def _draw(self, body: int, step: int) -> Tensor:
        rows = self._rows[body].training
        name = number_of(self._policy.bodies[body].name)
        samples = np.arange(self._mine.start, self._mine.stop, dtype=np.uint64)
        drawn = below(chance(self._recipe.seed, name, step, samples), len(rows))
        return _index(rows[drawn], self._processes.device)

    def _inputs(self, indices: Sequence[Tensor]) -> list[list[Tensor]]:
        return [[values[index] for values in rows.inputs] for rows, index in zip(self._rows, indices)]

    def _only_heads_are_trained(self) -> bool:
        policy = self._policy
        frozen = not any(policy.get_parameter(name).requires_grad for name in policy.stock_names())
        shared = all(stem.shared for body in policy.bodies for stem in body.stems)
        width = policy.shape.width
        numbers = sum(
            len(rows.targets) * (2 * width * body.dof if body.head == "joint" else width)
            for rows, body in zip(self._rows, policy.bodies)
        )
        return frozen and shared and numbers <= _MOST_FEATURES

    @torch.no_grad()
    def _features(self, body: int, rows: BodyRows) -> Tensor:
        parts = []
        for at in range(0, len(rows.targets), 4096):
            inputs = [values[at : at + 4096] for values in rows.inputs]
            parts.append(self._policy.features_of(body, inputs))
        return torch.cat(parts)


def _tensor(values: NDArray[np.float32], device: torch.device) -> Tensor:
    # What a file holds cannot be written to, which PyTorch does not like.
    return torch.from_numpy(values if values.flags.writeable else values.copy()).to(device)


def _index(rows: NDArray[np.integer], device: torch.device) -> Tensor:
    return torch.from_numpy(rows.astype(np.int64)).to(device)
