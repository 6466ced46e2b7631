"""Loops over time tags: echoes, differences of times, clicks that merge, mutual nearest neighbours.

Ticks are `int64` in the order of time, within +-2^61, so that a difference of two never overflows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel

__all__ = [
    "bins_from",
    "collect_differences",
    "count_differences",
    "mark_first_clicks",
    "match_nearest",
    "merge_close_clicks",
    "warm",
]

Words = NDArray[np.uint64]
Ticks = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@kernel
def mark_first_clicks(ticks: Ticks, channels: Bytes, dead_time: int, keep: Bytes) -> int:
    """Set keep[i] to 1 unless the click before of the same channel is closer than `dead_time`; return how many.

    `channels` are 0 ... 3.
    """
    last = np.zeros(4, dtype=np.int64)
    seen = np.zeros(4, dtype=np.uint8)
    kept = 0
    for index in range(ticks.size):
        channel = channels[index]
        tick = ticks[index]
        first = seen[channel] == 0 or tick - last[channel] >= dead_time
        keep[index] = 1 if first else 0
        kept += 1 if first else 0
        last[channel] = tick
        seen[channel] = 1
    return kept


@kernel
def count_differences(
    reference: Ticks, ticks: Ticks, lowest: int, bin_ticks: int, histogram: NDArray[np.int32]
) -> None:
    """Add every difference ticks[j] - reference[i] to `histogram`, whose first bin starts at `lowest`."""
    bins = histogram.size
    start = 0
    for index in range(reference.size):
        low = reference[index] + lowest
        high = low + bins * bin_ticks
        while start < ticks.size and ticks[start] < low:
            start += 1
        other = start
        while other < ticks.size and ticks[other] < high:
            histogram[np.uint64(ticks[other] - low) // np.uint64(bin_ticks)] += np.int32(1)
            other += 1


@kernel
def bins_from(histogram: NDArray[np.int32], least: int, places: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """Write place and sum of every two adjacent bins that hold at least `least`; return how many.

    It stops when the two outputs, of one size, are full.
    """
    written = 0
    for index in range(histogram.size - 1):
        count = histogram[index] + histogram[index + 1]
        if count >= least:
            if written == places.size:
                return written
            places[written] = index
            counts[written] = count
            written += 1
    return written


@kernel
def collect_differences(
    reference: Ticks, ticks: Ticks, lowest: int, highest: int, first: NDArray[np.int64], second: NDArray[np.int64]
) -> int:
    """Write i and j of every pair with lowest <= ticks[j] - reference[i] <= highest; return how many.

    It stops when the two outputs, of one size, are full.
    """
    written = 0
    start = 0
    for index in range(reference.size):
        low = reference[index] + lowest
        high = reference[index] + highest
        while start < ticks.size and ticks[start] < low:
            start += 1
        other = start
        while other < ticks.size and ticks[other] <= high:
            if written == first.size:
                return written
            first[written] = index
            second[written] = other
            written += 1
            other += 1
    return written


@kernel
def merge_close_clicks(ticks: Ticks, channels: Bytes, window: int, dead_time: int, times: Ticks, clicked: Bytes) -> int:
    """Merge the clicks that follow a first one by at most `window` into one event; return how many events are told.

    Not told are those whose first click follows another click, of any channel, by less than `dead_time`, and the very
    first, before which a click may have been. `times` gets the tick of the first click, `clicked` one bit for each
    channel that clicked.
    """
    events = 0
    index = 0
    while index < ticks.size:
        first = ticks[index]
        live = first - ticks[index - 1] >= dead_time if index > 0 else dead_time <= 1
        mask = np.uint8(0)
        while index < ticks.size and ticks[index] - first <= window:
            mask |= np.uint8(1) << channels[index]
            index += 1
        times[events] = first
        clicked[events] = mask
        events += 1 if live else 0
    return events


@kernel
def match_nearest(
    ticks: Ticks,
    bases: Words,
    peer_ticks: Ticks,
    peer_bases: Words,
    window: int,
    matched: Words,
    peer_matched: Words,
) -> int:
    """Mark the events of two sides that are each other's nearest, at most `window` apart and of equal basis.

    Of two at equal distance the earlier is nearer. Mutual nearest neighbours are adjacent in the merged order of both
    lists, so that one pass over it finds them all.

    Args:
        ticks: times of this side's events.
        bases: their bases.
        peer_ticks: times of the peer's events.
        peer_bases: their bases.
        window: the largest distance.
        matched: zeroed, one bit for each own event.
        peer_matched: zeroed, one bit for each event of the peer.

    Returns:
        How many pairs there are, of equal bases or not.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    own = 0
    other = 0
    pairs = 0
    while own < ticks.size and other < peer_ticks.size:
        step = peer_ticks[other] - ticks[own]
        distance = abs(step)
        if step >= 0:
            nearest = (other == 0 or ticks[own] - peer_ticks[other - 1] > distance) and (
                own + 1 == ticks.size or ticks[own + 1] - peer_ticks[other] >= distance
            )
        else:
            nearest = (own == 0 or peer_ticks[other] - ticks[own - 1] > distance) and (
                other + 1 == peer_ticks.size or peer_ticks[other + 1] - ticks[own] >= distance
            )
        if distance <= window and nearest:
            place = np.uint64(own)
            peer_place = np.uint64(other)
            basis = (bases[place >> six] >> (place & low)) & one
            peer_basis = (peer_bases[peer_place >> six] >> (peer_place & low)) & one
            equal = basis ^ peer_basis ^ one
            matched[place >> six] |= equal << (place & low)
            peer_matched[peer_place >> six] |= equal << (peer_place & low)
            pairs += 1
            own += 1
            other += 1
        elif step >= 0:
            own += 1
        else:
            other += 1
    return pairs


def warm() -> None:
    """Compile every kernel of this file."""
    ticks = np.array([0, 5], dtype=np.int64)
    ticks.flags.writeable = False
    channels = np.array([0, 1], dtype=np.uint8)
    channels.flags.writeable = False
    words = np.zeros(1, dtype=np.uint64)
    words.flags.writeable = False
    first = np.zeros(2, dtype=np.int64)
    marks = np.zeros(2, dtype=np.uint8)
    histogram = np.zeros(4, dtype=np.int32)
    mark_first_clicks(ticks, channels, 1, marks)
    count_differences(ticks, ticks, -2, 1, histogram)
    bins_from(histogram, 1, first, first.copy())
    collect_differences(ticks, ticks, 0, 0, first, first.copy())
    merge_close_clicks(ticks, channels, 1, 1, first, marks)
    match_nearest(ticks, words, ticks, words, 1, np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64))
