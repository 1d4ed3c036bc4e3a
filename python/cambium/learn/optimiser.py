"""AdamW over one flat vector of weights, step by step that of core/learn/optimiser.hpp."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cambium.learn.recipe import Recipe, learning_rate

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
# As f32 has them: 1 - 0.999 is off by 5e-5 there, and both trainers have to be off alike.
_REST_1 = float(np.float32(1) - np.float32(_BETA_1))
_REST_2 = float(np.float32(1) - np.float32(_BETA_2))


class AdamW:
    """Makes the parameters views of one vector: a step is a few passes over it instead of a few for each tensor."""

    def __init__(self, recipe: Recipe, parameters: Sequence[nn.Parameter]) -> None:
        self._recipe, self._parameters = recipe, list(parameters)
        self.weights = torch.cat([one.detach().reshape(-1) for one in self._parameters])
        self.moment_1 = torch.zeros_like(self.weights)
        self.moment_2 = torch.zeros_like(self.weights)
        at = 0
        for one in self._parameters:
            one.data = self.weights[at : at + one.numel()].view(one.shape)
            at += one.numel()

    @torch.no_grad()
    def step(self, step: int) -> None:
        """step: of the whole training, counted from 0. Takes the gradients and leaves none."""
        gradient = torch.cat([_flat(one) for one in self._parameters])
        norm = float(torch.linalg.vector_norm(gradient, dtype=torch.float64))
        if 0 < self._recipe.clip < norm:
            gradient.mul_(float(np.float32(self._recipe.clip / norm)))
        rate = learning_rate(self._recipe, step)
        self.moment_1.mul_(_BETA_1).add_(gradient, alpha=_REST_1)
        self.moment_2.mul_(_BETA_2).addcmul_(gradient, gradient, value=_REST_2)
        # Both moments begin at 0; the corrections undo what that takes away.
        deviation = (self.moment_2 / (1 - _BETA_2 ** (step + 1))).sqrt_().add_(_EPSILON)
        self.weights.mul_(1 - rate * self._recipe.weight_decay)
        self.weights.addcdiv_(self.moment_1, deviation, value=-rate / (1 - _BETA_1 ** (step + 1)))
        for one in self._parameters:
            one.grad = None


def _flat(parameter: nn.Parameter) -> Tensor:
    grad = parameter.grad
    return torch.zeros_like(parameter).reshape(-1) if grad is None else grad.reshape(-1)
