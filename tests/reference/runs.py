"""Slow, obvious twins of the kernels that look for patterns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def longest_run(bits: Sequence[int], symbol: int) -> int:
    return max((len(list(run)) for value, run in groupby(bits) if value == symbol), default=0)


def window_ones(bits: Sequence[int], window: int) -> list[int]:
    return [sum(bits[at : at + window]) for at in range(0, len(bits) - window + 1, window)]


def disagreements(bits: Sequence[int], starts: Sequence[int], pairs: int, lag: int) -> int:
    return sum(bits[at + place] != bits[at + place + lag] for at in starts for place in range(pairs))
