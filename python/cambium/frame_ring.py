"""Memory of the controller in which large readings lie until the host has copied them.

The host's side is core/runtime/frame_memory.hpp, the reasons are in docs/decisions/0025.
"""

from __future__ import annotations

import dataclasses
import fcntl
import mmap
import os
import platform
import secrets
import threading
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from cambium.status import CambiumError, Code

GRAIN = 64  #: [bytes] memory begins with a token; from here on it holds slots, each on cache lines of its own
SLOTS = 4  #: of each reading: as many observations as a host keeps waiting
MAX_BYTES = 256 << 20
TOKEN_BYTES = 16


def _slot_bytes(numbers: int) -> int:
    """A sequence, and from byte GRAIN on the numbers."""
    return -(-(GRAIN + 4 * numbers) // GRAIN) * GRAIN


@dataclasses.dataclass
class _Slots:
    first: int  # [bytes] into the memory
    size: int  # numbers
    current: int = 0
    sequence: int = 0
    lent: int = 0


class FrameRing:
    """A few slots for each large reading. Has no name: it goes with the last process that holds it.

    A slot is written again when its observation was answered, or else after three others: then the host
    finds it overwritten, because the slot's sequence has changed.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """sizes: numbers of each reading; 0: it has no slots. CambiumError says why there is no memory."""
        self.descriptor = -1
        if platform.machine() not in ("x86_64", "AMD64"):
            # Others may show the host a number before the sequence that announces it.
            raise CambiumError(Code.unavailable, f"Python cannot order its stores on {platform.machine()}")
        self._readings = []
        total = GRAIN
        for size in sizes:
            self._readings.append(_Slots(total, size))
            total += SLOTS * _slot_bytes(size) if size else 0
        if total > MAX_BYTES:
            raise CambiumError(Code.limit, f"the large readings need more than {MAX_BYTES >> 20} MB of memory")
        self.bytes = total
        self.token = secrets.token_bytes(TOKEN_BYTES)
        try:
            self.descriptor = os.memfd_create("cambium-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            os.ftruncate(self.descriptor, total)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)
            # With its pages: a fault while a robot moves would cost it microseconds.
            self._memory = mmap.mmap(self.descriptor, total, mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))
        except (OSError, AttributeError) as error:  # AttributeError: a system that has no memfd
            self.close()
            raise CambiumError(Code.failed, f"no memory to share: {error}") from None
        self._memory[:TOKEN_BYTES] = self.token
        self._fence_lock = threading.Lock()

    def close(self) -> None:
        """The mapping stays while arrays look at it, the descriptor goes: the host lets go."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __del__(self) -> None:
        self.close()

    def write(self, reading: int, values: NDArray[Any], answered: int) -> None:
        """answered: the newest observation that the host is known to be done with."""
        slots = self._readings[reading]
        # The host may still be reading. Else the same slot again: it is in the cache.
        if slots.lent > answered:
            slots.current = (slots.current + 1) % SLOTS
        slots.lent = 0
        slots.sequence += 2
        offset = self._offset(slots)
        head = np.frombuffer(self._memory, np.uint64, 1, offset)
        head[0] = slots.sequence - 1  # odd: being written
        self._fence()
        np.frombuffer(self._memory, np.float32, slots.size, offset + GRAIN)[:] = values.reshape(-1)
        self._fence()
        head[0] = slots.sequence

    def lend(self, reading: int, observation: int) -> dict[str, int]:
        """Where that lies which was written last, as the wire's Place; about to be sent."""
        slots = self._readings[reading]
        slots.lent = observation
        return {"offset": self._offset(slots), "sequence": slots.sequence, "size": slots.size}

    def _offset(self, slots: _Slots) -> int:
        return slots.first + slots.current * _slot_bytes(slots.size)

    def _fence(self) -> None:
        # Taking a free lock is one locked instruction, and no store of an x86 passes that: not even those
        # past the cache with which large arrays are copied.
        with self._fence_lock:
            pass
