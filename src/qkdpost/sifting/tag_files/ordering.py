"""Clicks in the order of time: counters that roll over, and clicks that come out of a tagger slightly out of order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.checks import integer_vector, whole_number
from qkdpost.errors import InputError

__all__ = ["MAX_TICK", "order_fault", "sort_time_tags", "unwrap_ticks"]

MAX_TICK = 2**63 - 1


def sort_time_tags(
    ticks: ArrayLike, channels: ArrayLike, *, max_disorder_ticks: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort clicks that are slightly out of the order of time, as taggers of several inputs write them.

    Args:
        ticks: when each click came; integers, shape (n,).
        channels: which detector clicked; integers, shape (n,). Secret for the key basis.
        max_disorder_ticks: how far a click may lie before the latest one that was written before it. Ask the
            tagger's manual: nanoseconds to microseconds as a rule. What is farther back is another fault, as of a
            counter that rolled over or files that were joined, which sorting would only hide.

    Returns:
        Ticks and channels in the order of time; clicks of one tick stay in the order in which they were.

    Raises:
        InputError: not vectors of integers of one length, or a click lies farther back.

    Example:
        >>> from qkdpost.sifting import sort_time_tags
        >>> ticks, channels = sort_time_tags([100, 250, 240, 300], [0, 3, 1, 2], max_disorder_ticks=1000)
        >>> ticks.tolist(), channels.tolist()
        ([100, 240, 250, 300], [0, 1, 3, 2])
    """
    times = integer_vector("ticks", ticks)
    numbers = integer_vector("channels", channels)
    most = whole_number("max_disorder_ticks", max_disorder_ticks, most=MAX_TICK)
    if times.size != numbers.size:
        raise InputError(
            f"ticks and channels must have one entry per click; found {times.size} ticks, {numbers.size} channels"
        )
    behind = _ticks_behind(times)
    if behind.size and int(behind.max()) > most:
        place = int(np.argmax(behind))
        raise InputError(
            f"entry {place} of ticks lies {behind[place]} ticks before an earlier one, more than "
            f"max_disorder_ticks={most}{_what_it_may_be(times)}"
        )
    order = np.argsort(times, kind="stable")
    return times[order], numbers[order]


def unwrap_ticks(ticks: ArrayLike, *, rollover_ticks: int, max_disorder_ticks: int = 0) -> NDArray[np.int64]:
    """Undo that a tagger's counter rolled over: add a period of the counter at each step back of about one.

    Stretches without a click must be shorter than half of the period: how often the counter rolled over in a longer
    one is not in the data.

    Args:
        ticks: when each click came, 0 ... rollover_ticks - 1; integers, shape (n,).
        rollover_ticks: the period, as 2**40.
        max_disorder_ticks: clicks may be out of order by this much, less than half a period; they are left so.

    Raises:
        InputError: a tick outside the period, or a step back that is neither disorder nor a period.

    Example:
        >>> from qkdpost.sifting import unwrap_ticks
        >>> unwrap_ticks([10, 200, 250, 3, 90], rollover_ticks=256).tolist()
        [10, 200, 250, 259, 346]
    """
    period = whole_number("rollover_ticks", rollover_ticks, least=2, most=MAX_TICK)
    disorder = whole_number("max_disorder_ticks", max_disorder_ticks, most=(period - 1) // 2)
    times = integer_vector("ticks", ticks)
    if times.size and not (times.min() >= 0 and times.max() < period):
        found = int(times.min()) if times.min() < 0 else int(times.max())
        raise InputError(
            f"ticks of a counter that rolls over at {period} must lie in 0 ... {period - 1}; found {found}"
        )
    steps = times[1:] - times[:-1]
    turned = steps < -disorder
    unclear = np.flatnonzero(turned & (steps > -(period - period // 2)))
    if unclear.size:
        step = -int(steps[unclear[0]])
        raise InputError(
            f"entry {unclear[0] + 1} of ticks lies {step} ticks below the one before, {unclear.size} such steps: "
            f"too much for max_disorder_ticks={disorder}, too little for a counter that rolls over at {period}"
        )
    turns = np.zeros(times.size, dtype=np.int64)
    np.cumsum(turned.astype(np.int64) - (steps >= period - disorder), out=turns[1:])
    if turns.size and int(turns.min()) < 0:
        turns -= turns.min()
    if turns.size and (int(turns.max()) + 1) * period > MAX_TICK:
        raise InputError(f"the counter rolled over {turns.max()} times at {period}: too long for ticks below 2^63")
    return turns * period + times


def order_fault(ticks: NDArray[np.int64]) -> str:
    """Say where ticks are out of order, by how much and what that may be; nothing if they are in order."""
    behind = _ticks_behind(ticks)
    if not behind.size or not behind.any():
        return ""
    place = int(np.argmax(behind))
    steps = int(np.count_nonzero(ticks[1:] < ticks[:-1]))
    return f"{steps} steps back, the farthest by {behind[place]} ticks{_what_it_may_be(ticks)}"


def _ticks_behind(ticks: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return how far each click lies before the latest so far; unsigned, so that no difference wraps."""
    latest: NDArray[np.int64] = np.maximum.accumulate(ticks) if ticks.size else ticks
    return latest.view(np.uint64) - ticks.view(np.uint64)


def _what_it_may_be(ticks: NDArray[np.int64]) -> str:
    """Tell a counter that rolled over from clicks out of order: it goes back by most of its range, and at once."""
    later, earlier = ticks[1:], ticks[:-1]
    back = later < earlier
    steps = earlier[back].view(np.uint64) - later[back].view(np.uint64)
    highest = int(ticks.max())
    bits = highest.bit_length()
    if int(ticks.min()) >= 0 and bits >= 8 and int(steps.max()) > highest // 2:
        return (
            f". That is most of what {bits} bits can count: if the counter rolled over, give rollover_ticks=2**{bits} "
            "(or its true period)"
        )
    return f". If the tagger writes clicks so far out of order, give max_disorder_ticks={_ticks_behind(ticks).max()}"
