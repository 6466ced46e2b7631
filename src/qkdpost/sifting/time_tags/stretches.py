"""How the share of matched events went over a record, from what both hosts know, and what to say where it vanished."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits

__all__ = ["PARTS", "Tenths", "lost_stretches", "matched_by_tenth"]

PARTS = 10
MIN_EVENTS = 30
"""Events of a part below which its share of matched ones says nothing."""
LOST_SHARE = 0.1
"""Of what is usual in the record: below, a part counts as lost."""

Tenths = tuple[tuple[int, int], ...]


def matched_by_tenth(slots: NDArray[np.integer[Any]], span: int, matched: Bits) -> Tenths:
    """Return for each tenth of a record how many events were reported and how many of these both sides keep.

    Both hosts know slots and mask: nothing in this is secret.

    Args:
        slots: of the reported events, increasing, in 0 ... span - 1; shape (n,).
        span: how many slots the record has.
        matched: which of the events are kept, n bits.

    Example:
        >>> matched_by_tenth(np.array([0, 5, 99]), 100, Bits.from_array(np.array([1, 0, 1])))[0]
        (2, 1)
    """
    edges = [span * part // PARTS for part in range(PARTS + 1)]
    ends = np.searchsorted(slots, edges)
    kept = np.concatenate([[0], np.cumsum(np.asarray(matched), dtype=np.int64)])[ends]
    return tuple(zip(np.diff(ends).tolist(), np.diff(kept).tolist(), strict=True))


def lost_stretches(tenths: Tenths, record: int) -> tuple[str, ...]:
    """Return sentences about the tenths of a record in which nearly no event was matched, or none reported.

    Args:
        tenths: as of `matched_by_tenth`.
        record: the number of the record, for the sentence.

    Example:
        >>> lost_stretches(((100, 30),) * 9 + ((100, 0),), 0)[0].split(":")[0]
        'record 0, tenth 10'
    """
    events = np.array([count for count, _ in tenths], dtype=np.int64)
    matched = np.array([count for _, count in tenths], dtype=np.int64)
    usual_events = float(np.median(events[events > 0])) if events.any() else 0.0
    if usual_events < MIN_EVENTS:
        return ()
    silent = events < LOST_SHARE * usual_events
    shares = matched / np.maximum(events, 1)
    usual = float(np.max(shares[~silent]))
    lost = ~silent & (events >= MIN_EVENTS) & (shares < LOST_SHARE * usual) & (usual * events >= MIN_EVENTS / 2)
    sentences = []
    if silent.any():
        sentences.append(
            f"record {record}, {_named(silent)}: no events or nearly none, {int(events[silent].sum())} in all; the two "
            "records cover these times only in part, or a receiver was off"
        )
    if lost.any():
        sentences.append(
            f"record {record}, {_named(lost)}: nearly no coincidences, {int(matched[lost].sum())} of "
            f"{int(events[lost].sum())} events matched where {100 * usual:.1f} % are usual; a clock jumped further "
            "than is searched, or the light of one side came from elsewhere: submit shorter records, each of which is "
            "calibrated for itself"
        )
    return tuple(sentences)


def _named(marked: NDArray[np.bool_]) -> str:
    places = [str(place + 1) for place in np.flatnonzero(marked)]
    if len(places) == 1:
        return f"tenth {places[0]}"
    return f"tenths {', '.join(places[:-1])} and {places[-1]}"
