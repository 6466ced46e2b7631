"""Slow, obvious twins of the kernels that look for patterns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def longest_run(bits: Sequence[int], symbol: int) -> int:
    """Of those that fill one of the words, bits 64 i ... 64 i + 63."""
    best = end = 0
    for value, run in groupby(bits):
        start, end = end, end + len(list(run))
        if value == symbol and -(-start // 64) * 64 + 64 <= end:
            best = max(best, end - start)
    return best


def window_ones(bits: Sequence[int], window: int) -> list[int]:
    return [sum(bits[at : at + window]) for at in range(0, len(bits) - window + 1, window)]


def disagreements(bits: Sequence[int], starts: Sequence[int], pairs: int, lag: int) -> int:
    return sum(bits[at + place] != bits[at + place + lag] for at in starts for place in range(pairs))


def by_distance(slots: Sequence[int], bits: Sequence[int], distance: int) -> tuple[int, int]:
    unlike = [bits[a] != bits[b] for a in range(len(slots)) for b in range(a) if slots[a] - slots[b] == distance]
    return len(unlike), sum(unlike)
