"""Slow, obvious twins of the coincidence kernels."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def first_clicks(ticks: Sequence[int], channels: Sequence[int], dead_time: int) -> list[bool]:
    keep = []
    for at, (tick, channel) in enumerate(zip(ticks, channels, strict=True)):
        before = [ticks[earlier] for earlier in range(at) if channels[earlier] == channel]
        keep.append(not before or tick - before[-1] >= dead_time)
    return keep


def merged(
    ticks: Sequence[int], channels: Sequence[int], within: int, dead_time: int = 1
) -> list[tuple[int, set[int]]]:
    """Events, without those before whose first click another click came by less than the dead time."""
    events: list[tuple[int, set[int]]] = []
    for tick, channel in zip(ticks, channels, strict=True):
        if events and tick - events[-1][0] <= within:
            events[-1][1].add(channel)
        else:
            events.append((tick, {channel}))
    firsts = {tick: bisect_left(ticks, tick) for tick, _ in events}
    told = [event for event in events if not any(event[0] - t < dead_time for t in ticks[: firsts[event[0]]])]
    return told[1:] if dead_time > 1 else told


def _nearest(tick: int, others: Sequence[int]) -> int:
    return min(range(len(others)), key=lambda at: (abs(others[at] - tick), others[at]))


def mutual_nearest(ticks: Sequence[int], peer_ticks: Sequence[int], window: int) -> list[tuple[int, int]]:
    """Both lists strictly increasing; of two at equal distance the earlier is nearer."""
    if not ticks or not peer_ticks:
        return []
    pairs = []
    for own, tick in enumerate(ticks):
        other = _nearest(tick, peer_ticks)
        if abs(peer_ticks[other] - tick) <= window and _nearest(peer_ticks[other], ticks) == own:
            pairs.append((own, other))
    return pairs
