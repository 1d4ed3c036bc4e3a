"""What every engine is given: the size of the trunk, the batch and the threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MLP_RATIO = 4
EPSILON = 1e-6  # of the layer norms


@dataclass(frozen=True)
class Size:
    """A trunk of this family."""

    name: str
    width: int
    blocks: int
    heads: int

    @property
    def head_width(self) -> int:
        return self.width // self.heads


SIZES = {
    size.name: size
    for size in (
        Size("small", 128, 16, 8),
        Size("base", 256, 16, 8),
        Size("large", 512, 16, 8),
        Size("xlarge", 768, 32, 16),
    )
}


@dataclass(frozen=True)
class Problem:
    """One comparison: the same rows through the same weights, on the same cores."""

    size: Size
    robots: int
    tokens: int
    threads: int
    stock: Path  # the weights; what else belongs to the size is beside it

    @property
    def folder(self) -> Path:
        return self.stock.parent

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.robots, self.tokens, self.size.width)
