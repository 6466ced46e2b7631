"""Loops of the simulation that cannot be written over whole arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = ["mark_live", "warm"]


@kernel
def mark_live(times: NDArray[np.int64], dead_time: int, keep: NDArray[np.uint8]) -> None:
    """Set keep[i] to 1 where times[i], non-decreasing, lies more than `dead_time` after the last one kept."""
    last = np.int64(0)
    started = False
    for index in range(times.size):
        live = not started or times[index] - last > dead_time
        keep[index] = 1 if live else 0
        if live:
            last = times[index]
            started = True


def warm() -> None:
    """Compile every kernel of this file."""
    mark_live(np.array([0, 1], dtype=np.int64), 1, np.zeros(2, dtype=np.uint8))
