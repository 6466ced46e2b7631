"""Counting that shows whether bits look drawn at random: runs, ones in windows, agreement at a distance.

Words are `uint64`; bit i of a vector is bit i % 64 of word i // 64, and bits past the end are zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import leading_zeros, ones, trailing_zeros
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["compare_by_distance", "count_disagreements", "longest_run", "window_ones"]

Words = NDArray[np.uint64]


@kernel
def longest_run(words: Words, length: int, flip: np.uint64) -> int:
    """Return the length of the longest run of ones in the first `length` bits of `words`, each exclusive-or `flip`.

    Only runs that fill a whole word are looked at, as every run of 127 does; 0 if there is none.
    """
    every = ~np.uint64(0) ^ flip
    best = 0
    run = 0
    for index in range(length >> 6):
        if words[index] == every:
            if run == 0 and index > 0:
                run = leading_zeros(~(words[index - 1] ^ flip))
            run += 64
        elif run > 0:
            best = max(best, run + trailing_zeros(~(words[index] ^ flip)))
            run = 0
    if run > 0 and length & 63:
        beyond = ~np.uint64(0) << np.uint64(length & 63)
        run += trailing_zeros(~(words[length >> 6] ^ flip) | beyond)
    return max(best, run)


@kernel
def window_ones(words: Words, window_words: int, counts: NDArray[np.int64]) -> None:
    """Write to `counts` how many ones each window of so many words has; `words` holds as many windows as `counts`."""
    for window in range(counts.size):
        total = 0
        for index in range(window * window_words, (window + 1) * window_words):
            total += ones(words[index])
        counts[window] = total


@kernel
def count_disagreements(words: Words, starts: NDArray[np.int64], pairs_words: int, counts: NDArray[np.int64]) -> None:
    """Add to counts[d - 1], for d = 1, 2, ..., how many bits differ from the one d places further on.

    Looked at are the first bits of each pair in `pairs_words` whole words from each of `starts` on; so many words and
    `counts.size` // 64 + 1 more must lie in `words`.
    """
    for lag in range(1, counts.size + 1):
        skipped = lag >> 6
        shift = np.uint64(lag & 63)
        back = np.uint64(64) - shift
        total = 0
        for stretch in range(starts.size):
            first = starts[stretch]
            if shift == np.uint64(0):
                for index in range(first, first + pairs_words):
                    total += ones(words[index] ^ words[index + skipped])
            else:
                for index in range(first, first + pairs_words):
                    further = words[index + skipped] >> shift | words[index + skipped + 1] << back
                    total += ones(words[index] ^ further)
        counts[lag - 1] += total


@kernel
def compare_by_distance(
    slots: NDArray[np.int64], bits: Words, max_pairs: int, pairs: NDArray[np.int64], counts: NDArray[np.int64]
) -> int:
    """Add, for each distance d = 1, 2, ... in slots, to pairs[d - 1] the pairs of detections, to counts those unlike.

    Stops at the first detection after so many pairs. `slots` are strictly increasing; one of `bits` belongs to each. A
    caller may have altered them since they were checked: nothing else than such distances is counted then.

    Returns:
        How many pairs there were.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    limit = np.uint64(min(pairs.size, counts.size))
    seen = 0
    for first in range(slots.size):
        if seen >= max_pairs:
            break
        place = np.uint64(first)
        own = bits[place >> six] >> (place & low)
        for second in range(first + 1, slots.size):
            # Unsigned, so that a step back, or by nothing, is a long one.
            lag = np.uint64(slots[second]) - np.uint64(slots[first]) - one
            if lag >= limit:
                break
            place = np.uint64(second)
            pairs[lag] += 1
            counts[lag] += np.int64((own ^ bits[place >> six] >> (place & low)) & one)
            seen += 1
    return seen


def warm() -> None:
    """Compile every kernel of this file."""
    words = np.zeros(8, dtype=np.uint64)
    words.flags.writeable = False
    counts = np.zeros(1, dtype=np.int64)
    longest_run(words, 65, np.uint64(0))
    window_ones(words, 1, counts)
    count_disagreements(words, np.zeros(1, dtype=np.int64), 1, counts)
    slots = np.zeros(1, dtype=np.int64)
    slots.flags.writeable = False
    compare_by_distance(slots, words, 1, counts, counts)
