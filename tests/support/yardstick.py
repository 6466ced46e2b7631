"""Times of short work in units of the machine's own speed: machines differ by a factor of two, busy ones by more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

TIMES = 15
LOGARITHMS = 10_000
"""The yardstick: so many logarithms in a loop of Python; 0.7 to 1 ms on a quiet machine of today."""


def least_seconds(work: Callable[[], object], times: int = TIMES) -> float:
    """The least processor time that `work` took in so many runs."""
    took = []
    for _ in range(times):
        started = time.process_time()
        work()
        took.append(time.process_time() - started)
    return min(took)


def takes_less_than(seconds: float, work: Callable[[], object], times: int = 5) -> bool:
    """Whether one of so many runs of `work` does, by processor time; after the first that does no more are made."""
    return any(least_seconds(work, 1) < seconds for _ in range(times))


def in_yardsticks(work: Callable[[], object], times: int = TIMES) -> float:
    """The least time of `work`, of so many, over that of the yardstick, measured before and after it."""
    before = least_seconds(_yardstick)
    took = least_seconds(work, times)
    return took / max(before, least_seconds(_yardstick))


def _yardstick() -> float:
    return sum(math.log(number) for number in range(1, LOGARITHMS))
