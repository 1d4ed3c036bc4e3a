"""Random numbers that depend on what they are for, bit by bit those of core/learn/chance.hpp: a training here draws the
same weights and the same rows as one there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def chance(*what: int | U64) -> U64:
    """A well mixed 64-bit number for this sequence (SplitMix64's finaliser after each). Parts that are arrays give one
    number for each of their entries."""
    state: U64 = np.zeros(np.broadcast_shapes(*(np.shape(part) for part in what)), np.uint64)
    with np.errstate(over="ignore"):  # wrapping round is meant
        for part in what:
            state = state + (np.asarray(part, np.uint64) + _GOLDEN)
            state = (state ^ (state >> np.uint64(30))) * _MIX_1
            state = (state ^ (state >> np.uint64(27))) * _MIX_2
            state = state ^ (state >> np.uint64(31))
    return state


def uniform(bits: U64) -> NDArray[np.float64]:
    """In [0, 1)."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(bits: U64, n: int) -> NDArray[np.int64]:
    """In [0, n)."""
    return (uniform(bits) * float(n)).astype(np.int64)


def number_of(name: str) -> int:
    """A number for a name (FNV-1a), the same on every machine."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value
