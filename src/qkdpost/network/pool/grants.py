"""Who gives part of a segment to the other direction, when, and what becomes of it.

Only the owner moves a limit away from itself, in a frame of its own direction. The receiver takes it where its own
limit and what it knew of the giver's meet, and where the grant begins there: then no byte belongs to both. Two grants
that cross find the other's limit moved: neither is applied, and what lies between is lost to both. A grant is said
once. It lowers the giver's limit at once, durably; what it believes of the other's limit rises when the other has
confirmed it. A grant whose connection breaks before is lost, though the receiver may have begun to spend of it: then
its mark stands beyond its limit, and the direction goes on in the next segment.

*Whole shares.* A part of a short segment, such as those that were carried over trusted sites, is not worth a frame, and
does not end where a row of its content does. Where one direction alone is used, the other's share of every segment
would pile up, and half of what is carried be of no use. So the direction that has much more gives its share of the next
segment that neither has begun, as a whole.
"""

from __future__ import annotations

from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.segment import PooledSegment

__all__ = ["begin_grant", "confirm_grant", "grant_worth_giving", "take_grant", "whole_grant_worth_giving"]

LEAST_BYTES = 64
"""A grant costs the tag of its frame."""
TIMES_RICHER = 3
"""By this factor one direction must have more than the other: so grants that cross are rare."""


def grant_worth_giving(pool: Pool, kept: int) -> tuple[int, int, int] | None:
    """Return segment, old and new limit of a grant that is worth a frame, or None.

    One is, where the other end is at work, if it has less than a quarter of its share of the segment left and this end
    more than half: so two cross only if each sees the other's mark long ago. (Half, not three quarters: whoever answers
    each key of 256 bits with a tag of its own spends a third of what the other does.)

    Args:
        pool: of which.
        kept: what this direction must keep in all.
    """
    segment = pool.order.get(pool.peer.mark.segment)
    if segment is None or not segment.in_use or segment.number in pool.unconfirmed_grants:
        return None
    own, other = pool.own.number, pool.peer.number
    limit, passed = segment.limits[own], pool.own.passed(segment)
    if sum(segment.limits) != segment.length or segment.left[own] is not None or segment.left[other] is not None:
        return None
    rest = limit - passed
    if 2 * rest <= limit or 4 * (segment.limits[other] - pool.peer.passed(segment)) >= segment.limits[other]:
        return None
    new = segment.aligned(own, limit - min(rest // 2, max(0, pool.own.rest - kept)))
    if limit - new < pool.settings.least_grant_bytes:
        return None
    return segment.number, limit, new


def begin_grant(pool: Pool, number: int, old: int, new: int) -> None:
    """Give up what lies between two limits of this side's direction."""
    segment = pool.order[number]
    segment.limits[pool.own.number] = new
    pool.unconfirmed_grants[number] = (old, new)
    _changed(pool, segment)


def confirm_grant(pool: Pool, number: int) -> None:
    """Hear that the other end has taken a grant."""
    given = pool.unconfirmed_grants.pop(number, None)
    segment = pool.order.get(number)
    if given is None or segment is None:
        return
    old, new = given
    own, other = pool.own.number, pool.peer.number
    # If the other end's own grant crossed this one, what it has is less, and neither was applied.
    if segment.limits[own] == new and segment.limits[other] == segment.length - old:
        segment.limits[other] = segment.length - new
        _changed(pool, segment)


def take_grant(pool: Pool, number: int, old: int, new: int) -> str:
    """Take what the other end gives; say what is wrong with it, or nothing."""
    segment = pool.order.get(number)
    if segment is None or not segment.in_use:
        return f"segment {number} is not in use here"
    own, other = pool.own.number, pool.peer.number
    if not pool.peer.passed(segment) <= new < old <= segment.length:
        return f"a grant moves the limit of segment {number} from {old} to {new}"
    if segment.limits[own] == segment.length - old and segment.limits[other] == old:
        segment.limits[own] = segment.length - new
    segment.limits[other] = min(segment.limits[other], new)
    _changed(pool, segment)
    return ""


def _changed(pool: Pool, segment: PooledSegment) -> None:
    pool.order.changed(segment)
    pool.own.recount()
    pool.peer.recount()


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
