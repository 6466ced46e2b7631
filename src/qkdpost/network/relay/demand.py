"""How fast a stock of key is used, and how fast it grows: averages that forget."""

from __future__ import annotations

import math

__all__ = ["AVERAGING_SECONDS", "Rate"]

AVERAGING_SECONDS = 60.0


class Rate:
    """The rate at which a total grows, averaged exponentially: what was a minute ago counts 1/e of what is now.

    No decision of two sites hangs on it.
    """

    __slots__ = ("_per_second", "_seconds", "_total")

    def __init__(self, total: float, now_seconds: float) -> None:
        self._total, self._seconds = total, now_seconds
        self._per_second = 0.0

    def update(self, total: float, now_seconds: float) -> float:
        """Hear what the total is now, and return its average growth per second."""
        passed = now_seconds - self._seconds
        if passed > 0:
            kept = math.exp(-passed / AVERAGING_SECONDS)
            self._per_second = kept * self._per_second + (1 - kept) * (total - self._total) / passed
            self._total, self._seconds = total, now_seconds
        return self._per_second
