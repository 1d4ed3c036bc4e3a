"""How long, how fast and on what a policy is trained; defaults and names are those of core/learn/recipe.hpp."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cambium.nearest import did_you_mean
from cambium.status import CambiumError, Code

HEAD_KINDS = ("mlp", "joint")
JOINT_HEAD_WIDTHS = (128,)  #: hidden layers of a head that is run once for each joint
_MOST_WIDTH = 65536


@dataclass
class Recipe:
    steps: int = 5000
    batch: int = 32  #: samples per body and step, of all processes together
    learning_rate: float = 2e-3  #: after warm-up
    #: part of learning_rate where a graft's head begins as the stock's, or a few demonstrations of one body would make
    #: it forget what it knows of all
    ready_head_rate: float = 0.05
    weight_decay: float = 1e-4  #: decoupled (AdamW)
    warm_up: int = 100  #: steps of linear rise, at most half of all
    final_fraction: float = 0.01  #: of learning_rate, at the end of the cosine
    clip: float = 1.0  #: largest norm of a gradient; 0: not clipped
    beta: float = 0.05  #: where smooth L1 turns from square to straight
    seed: int = 0
    threads: int = 0  #: of this process; 0: the machine's, shared out between its processes
    validation: float = 0.05  #: share of episodes that are held out, at least one
    checkpoint_every: int = 1000  #: steps
    clamp: float = 3.0  #: of normalised inputs

    stem_widths: tuple[int, ...] = (128,)
    head_widths: tuple[int, ...] = (256, 128)
    #: pretraining; a graft takes the stock's. "mlp": one a body. "joint": one for every joint of every body, and a
    #: token a joint, from the axes that demonstrations carry: joint_position is shared, too, then
    head_kind: str = "mlp"
    private_sensors: tuple[str, ...] = ("joint_position",)
    shared_sensors: tuple[str, ...] = ("tool", "goal")  #: pretraining; a graft takes the stock's

    architecture: str = "hpt"
    width: int = 64
    blocks: int = 4
    heads: int = 4

    def check(self) -> None:
        """Raises CambiumError that names the first value that makes no sense."""

        def bad(name: str, value: object, expected: str) -> CambiumError:
            return CambiumError(Code.bad_argument, f"{name} is {value}, expected {expected}")

        for name, value in (("steps", self.steps), ("batch", self.batch), ("blocks", self.blocks)):
            if not value >= 1:
                raise bad(name, value, "at least 1")
        for name, value in (
            ("learning rate", self.learning_rate),
            ("ready head rate", self.ready_head_rate),
            ("beta", self.beta),
            ("clamp", self.clamp),
        ):
            if not 0 < value < math.inf:
                raise bad(name, value, "above 0")
        for name, value in (
            ("weight decay", self.weight_decay),
            ("clip", self.clip),
            ("warm-up", self.warm_up),
            ("threads", self.threads),
        ):
            if not 0 <= value < math.inf:
                raise bad(name, value, "0 or more")
        if not 0 <= self.seed < 1 << 64:
            raise bad("seed", self.seed, "0 to 2^64 - 1")
        if not 0 <= self.validation < 1:
            raise bad("validation", self.validation, "a share from 0 to below 1")
        if self.architecture != "hpt":
            raise CambiumError(
                Code.bad_argument,
                f"a trunk of architecture '{self.architecture}' cannot be trained here, only 'hpt' can"
                f"{did_you_mean(self.architecture, ['hpt'])}; `cambium pretrain` also trains 'streaming'",
            )
        if self.head_kind not in HEAD_KINDS:
            near = did_you_mean(self.head_kind, HEAD_KINDS)
            raise CambiumError(Code.bad_argument, f"head '{self.head_kind}' is unknown{near}")
        if self.heads < 1 or self.width < 1 or self.width % self.heads != 0:
            raise bad("width", self.width, f"a multiple of the {self.heads} heads")
        for width in (*self.stem_widths, *self.head_widths):
            if not 1 <= width <= _MOST_WIDTH:
                raise bad("a layer's width", width, f"1 to {_MOST_WIDTH}")


def graft_recipe() -> Recipe:
    """What a graft needs less of: 1500 steps of 64."""
    return Recipe(steps=1500, batch=64)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Rises linearly over the warm-up, then falls along a cosine to final_fraction."""
    warm_up = min(recipe.warm_up, recipe.steps // 2)
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, recipe.steps - warm_up)
    cosine = (1 + math.cos(math.pi * min(done, 1.0))) / 2
    return recipe.learning_rate * (recipe.final_fraction + (1 - recipe.final_fraction) * cosine)
