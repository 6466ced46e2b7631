"""What is counted of one sequence of bits, in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import count_ones
from qkdpost._kernels.bits.runs import count_disagreements, longest_run, window_ones
from qkdpost.bits import Bits

__all__ = ["MAX_LAG", "WINDOW_BITS", "SequenceHealth", "no_lags", "spread_over"]

WINDOW_BITS = 1024
"""Of the adaptive proportion test, as SP 800-90B, section 4.4.2, has it for binary sources."""
MAX_LAG = 128
"""The longest period that is looked for."""
PARTS = 8
MIN_WINDOWS_OF_A_PART = 16
"""Shares are compared between this number of parts of a record, each of at least this number of windows."""
STRETCHES = 8
STRETCH_WORDS = 128
"""Periods are looked for in at most this number of stretches of this number of words, spread over the record."""
_FURTHER_WORDS = MAX_LAG // 64 + 1
_EVERY = np.uint64(2**64 - 1)


def no_lags() -> NDArray[np.int64]:
    """Return a count of nothing for each distance."""
    return np.zeros(MAX_LAG, dtype=np.int64)


def spread_over(last: int, number: int) -> list[int]:
    """Return `number` whole numbers from 0 to `last`, one at the least, as evenly spread as they can be."""
    step = last / (number - 1) if number > 1 else 0.0
    return [int(place * step) for place in range(number - 1)] + [last if number > 1 else 0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SequenceHealth:
    """Counts of one sequence of bits; those of two records add up to those of both.

    Args:
        length: how many bits.
        ones: how many of them are one.
        longest_zeros: the longest run of zeros, if it fills a whole word of 64 bits, as every one of 127 does; else 0.
        longest_ones: likewise of ones.
        windows: how many whole windows of `WINDOW_BITS` bits.
        min_ones: in any of the windows.
        max_ones: in any of the windows.
        parts: ones and length of its parts, one after another; a sum has those of all records.
        pairs: how many pairs of bits were compared at each distance.
        disagreements: how many of them differ, at the distances 1 ... `MAX_LAG`; int64, shape (MAX_LAG,).

    >>> health = SequenceHealth.of(Bits.from_array([0, 1] * 5000))
    >>> health.ones, health.max_ones, int(health.disagreements[0]) == health.pairs
    (5000, 512, True)
    """

    length: int = 0
    ones: int = 0
    longest_zeros: int = 0
    longest_ones: int = 0
    windows: int = 0
    min_ones: int = WINDOW_BITS
    max_ones: int = 0
    parts: tuple[tuple[int, int], ...] = ()
    pairs: int = 0
    disagreements: NDArray[np.int64] = field(default_factory=no_lags, repr=False)

    @classmethod
    def of(cls, bits: Bits) -> SequenceHealth:
        """Count."""
        words = bits.words
        in_windows = np.empty(len(bits) // WINDOW_BITS, dtype=np.int64)
        window_ones(words, WINDOW_BITS // 64, in_windows)
        pairs, disagreements = _compare_at_distances(bits)
        further = count_ones(words[in_windows.size * (WINDOW_BITS // 64) :])
        parts = _parts(in_windows, further, len(bits) % WINDOW_BITS)
        return cls(
            length=len(bits),
            ones=sum(ones for ones, _ in parts),
            longest_zeros=longest_run(words, len(bits), _EVERY),
            longest_ones=longest_run(words, len(bits), np.uint64(0)),
            windows=in_windows.size,
            min_ones=int(np.minimum.reduce(in_windows, initial=WINDOW_BITS)),
            max_ones=int(np.maximum.reduce(in_windows, initial=0)),
            parts=parts,
            pairs=pairs,
            disagreements=disagreements,
        )

    def __add__(self, other: SequenceHealth) -> SequenceHealth:
        return SequenceHealth(
            length=self.length + other.length,
            ones=self.ones + other.ones,
            longest_zeros=max(self.longest_zeros, other.longest_zeros),
            longest_ones=max(self.longest_ones, other.longest_ones),
            windows=self.windows + other.windows,
            min_ones=min(self.min_ones, other.min_ones),
            max_ones=max(self.max_ones, other.max_ones),
            parts=self.parts + other.parts,
            pairs=self.pairs + other.pairs,
            disagreements=self.disagreements + other.disagreements,
        )


def _parts(in_windows: NDArray[np.int64], further_ones: int, further: int) -> tuple[tuple[int, int], ...]:
    """Return ones and length of each part; what fills no window belongs to the last."""
    count = max(1, min(PARTS, in_windows.size // MIN_WINDOWS_OF_A_PART))
    each, more = divmod(in_windows.size, count)
    ends = [place * each + min(place, more) for place in range(count + 1)]
    ones = np.add.reduceat(in_windows, ends[:-1]).tolist() if in_windows.size else [0]
    lengths = [WINDOW_BITS * (end - start) for start, end in pairwise(ends)]
    ones[-1] += further_ones
    lengths[-1] += further
    return tuple(zip(ones, lengths, strict=True))


def _compare_at_distances(bits: Bits) -> tuple[int, NDArray[np.int64]]:
    counts = no_lags()
    whole_words = len(bits) // 64
    stretch = min(STRETCH_WORDS, whole_words)
    pairs_words = stretch - _FURTHER_WORDS
    if pairs_words < 1:
        return 0, counts
    number = min(STRETCHES, whole_words // stretch)
    starts = np.array(spread_over(whole_words - stretch, number), dtype=np.int64)
    count_disagreements(bits.words, starts, pairs_words, counts)
    return 64 * pairs_words * number, counts
