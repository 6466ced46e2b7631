"""Reading time tags as laboratories keep them: text, one click a line."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from qkdpost.errors import InputError
from qkdpost.records import TimeTags

__all__ = ["load_time_tags"]


def load_time_tags(
    path: str | PathLike[str],
    tick_ps: float,
    *,
    alice: Sequence[int] = (0, 1, 2, 3),
    bob: Sequence[int] = (4, 5, 6, 7),
) -> tuple[TimeTags, TimeTags]:
    """Read a text file of lines `channel tick`, both sides' clicks merged in the order of time.

    Args:
        path: the file.
        tick_ps: the length of a tick in picoseconds.
        alice: which numbers in the file are Alice's detectors, in the order: key basis outcome 0 and 1, test basis
            outcome 0 and 1.
        bob: the same for Bob; where the source makes outcomes opposite, name his in the opposite order.

    Returns:
        Alice's and Bob's tags; clicks of other numbers are left out.

    Raises:
        InputError: the file holds something else.
    """
    try:
        table = np.loadtxt(path, dtype=np.int64, ndmin=2)
    except ValueError as error:
        raise InputError(f"{path} must hold lines of two integers, channel and tick: {error}") from None
    if table.shape[1] != 2:
        raise InputError(f"{path} must hold two columns, channel and tick; found {table.shape[1]}")
    return _side(table[:, 0], table[:, 1], tick_ps, alice), _side(table[:, 0], table[:, 1], tick_ps, bob)


def _side(
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]],
    ticks: np.ndarray[tuple[int], np.dtype[np.int64]],
    tick_ps: float,
    detectors: Sequence[int],
) -> TimeTags:
    if len(detectors) != 4 or len(set(detectors)) != 4:
        raise InputError(f"a side has four different detectors; found {tuple(detectors)}")
    keep = np.isin(numbers, detectors)
    order = np.argsort(detectors)
    channels = order[np.searchsorted(np.asarray(detectors)[order], numbers[keep])]
    return TimeTags(ticks=ticks[keep], channels=channels, tick_ps=tick_ps)
