"""Slow, obvious twins of the coincidence kernels."""

from __future__ import annotations

from collections.abc import Sequence


def first_clicks(ticks: Sequence[int], channels: Sequence[int], dead_time: int) -> list[bool]:
    keep = []
    for at, (tick, channel) in enumerate(zip(ticks, channels, strict=True)):
        before = [ticks[earlier] for earlier in range(at) if channels[earlier] == channel]
        keep.append(not before or tick - before[-1] >= dead_time)
    return keep


def merged(ticks: Sequence[int], channels: Sequence[int], within: int) -> list[tuple[int, set[int]]]:
    events: list[tuple[int, set[int]]] = []
    for tick, channel in zip(ticks, channels, strict=True):
        if events and tick - events[-1][0] <= within:
            events[-1][1].add(channel)
        else:
            events.append((tick, {channel}))
    return events


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
