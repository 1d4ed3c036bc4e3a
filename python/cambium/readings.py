"""What a controller's sensors say, until it is sent: as numbers, large ones in memory that the host reads."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cambium.frame_ring import FrameRing
from cambium.robot import SensorInfo
from cambium.status import CambiumError, Code


class Readings:
    """Of one robot, from its Welcome to the end of the connection."""

    def __init__(self, sensors: Sequence[SensorInfo], share_from: float) -> None:
        self._sensors = sensors
        self._large = [4 * one.size >= share_from for one in sensors]
        self._values: list[NDArray[np.float32] | None] = [None] * len(sensors)  # those that travel as numbers
        self._set = [False] * len(sensors)
        self._ring: FrameRing | None = None

    @property
    def any_large(self) -> bool:
        return any(self._large)

    @property
    def message_bytes(self) -> int:
        """Of an observation whose readings all travel as numbers."""
        return 256 + sum(4 * one.size for one in self._sensors)

    def make_ring(self) -> FrameRing:
        return FrameRing([one.size if large else 0 for one, large in zip(self._sensors, self._large)])

    def share(self, ring: FrameRing) -> None:
        """Large readings lie there from now on."""
        self._ring = ring

    def set(self, index: int, values: ArrayLike, answered: int) -> None:
        array = _checked(self._sensors[index], values)
        if self._ring is not None and self._large[index]:
            self._ring.write(index, array, answered)
        else:
            self._values[index] = np.array(array, dtype=np.float32)
        self._set[index] = True

    def missing(self) -> str:
        """Name of a sensor that was not set; empty if there is none."""
        return next((one.name for one, known in zip(self._sensors, self._set) if not known), "")

    def pack(self, observation: int) -> list[dict[str, Any]]:
        """As the wire's Readings."""
        packed: list[dict[str, Any]] = []
        for index, values in enumerate(self._values):
            if self._ring is not None and self._large[index]:
                packed.append({"place": self._ring.lend(index, observation)})
            else:
                packed.append({"values": values})
        return packed

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()


def _checked(sensor: SensorInfo, values: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(values)
        numbers = np.can_cast(array.dtype, np.float32, "same_kind")
    except ValueError:  # lists of different lengths
        raise CambiumError(Code.bad_argument, f"sensor '{sensor.name}': no array, expected {sensor.shape}") from None
    if not numbers:
        raise CambiumError(
            Code.bad_argument, f"sensor '{sensor.name}': values of type {array.dtype}, expected numbers (f32)"
        )
    # Flat is fine, another order of axes is not: pictures would be stripes.
    if array.shape != sensor.shape and array.shape != (sensor.size,):
        raise CambiumError(
            Code.bad_argument,
            f"sensor '{sensor.name}': values of shape {array.shape}, expected {sensor.shape} [{sensor.unit}]",
        )
    return array
