"""Grants of a whole share in a short segment, such as those that were carried over trusted sites.

A part of a short segment is not worth a frame, and does not end where a row of its content does. Where one direction
alone is used, the other's share of every segment would pile up, and half of what is carried be of no use. So the
direction that has much more gives its share of the next segment that neither has begun, as a whole.
"""

from __future__ import annotations

from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.segment import PooledSegment

__all__ = ["whole_grant_worth_giving"]

LEAST_BYTES = 64
"""A grant costs the tag of its frame."""
TIMES_RICHER = 3
"""By this factor one direction must have more than the other: so grants that cross are rare."""


def whole_grant_worth_giving(pool: Pool, kept: int) -> tuple[int, int, int] | None:
    """Return segment, old and new limit of a grant of all that this direction has of a short segment, or None.

    Args:
        pool: of which.
        kept: what this direction must keep in all.
    """
    spare = pool.own.rest - kept
    if pool.unconfirmed_grants or pool.own.rest < TIMES_RICHER * pool.peer.rest or spare < LEAST_BYTES:
        return None
    for number in pool.order.since(max(pool.own.mark.segment, pool.peer.mark.segment) + 1):
        segment = pool.order[number]
        limit = segment.limits[pool.own.number]
        if limit >= LEAST_BYTES and _is_untouched(pool, segment):
            return (number, limit, 0) if limit <= spare else None
    return None


def _is_untouched(pool: Pool, segment: PooledSegment) -> bool:
    """Tell whether a segment is short, in use, and no byte of it is spent or given away."""
    is_short = segment.limits[pool.own.number] < 2 * pool.settings.least_grant_bytes
    whole = sum(segment.limits) == segment.length and segment.left == [None, None]
    return is_short and whole and segment.in_use and not segment.renews
