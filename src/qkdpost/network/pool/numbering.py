"""How the two ends come to use a segment: the follower shows that it holds it, the leader numbers it.

Numbers and states travel outside of frames, and no tag covers them. What they can do is told in `settling`.
"""

from __future__ import annotations

import hmac

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.greetings import ListedSegment, SegmentOffer, SegmentTaken
from qkdpost.network.pool.pool import MAX_LEAP, Pool
from qkdpost.network.pool.segment import HASH_KEYS_BYTES, LEADER, PooledSegment, SegmentStage

__all__ = ["listed", "new_offers", "take_offer", "take_taken"]

MAX_WRONG_CHECKS = 3
MAX_EARLY_OFFERS = 1024


def listed(pool: Pool, segment: PooledSegment) -> ListedSegment:
    """Return what this end says of a segment."""
    shows = not segment.vouched and (
        segment.stage is SegmentStage.NUMBERED if pool.is_leader else segment.stage is SegmentStage.OFFERED
    )
    return ListedSegment(
        segment.identifier,
        segment.number,
        segment.in_use,
        segment.length,
        segment.limits[pool.own.number],
        segment.limits[pool.peer.number],
        segment.renews,
        _check(pool, segment, pool.own.number) if shows else b"",
    )


def new_offers(pool: Pool) -> list[SegmentOffer]:
    """Return offers of what has come in, or got its number, since the last call."""
    fresh = [segment for segment in pool.to_offer if segment.stage is not SegmentStage.GONE]
    pool.to_offer.clear()
    if not pool.is_leader:
        return [SegmentOffer(listed(pool, segment)) for segment in fresh if segment.stage is SegmentStage.OFFERED]
    for segment in fresh:
        early = pool.early_offers.pop(segment.identifier, None)
        if early is not None:
            take_offer(pool, early)
    pool.to_offer.clear()
    return [SegmentOffer(listed(pool, segment)) for segment in fresh if segment.stage is SegmentStage.NUMBERED]


def take_offer(pool: Pool, offer: ListedSegment) -> list[SegmentTaken]:
    """Take what the other end says of a segment that is not in use yet; return what to answer.

    Raises:
        RemoteProtocolError: the numbers contradict each other.
    """
    segment = pool.order.by_identifier.get(offer.identifier)
    if segment is None and pool.is_leader and not offer.number and len(pool.early_offers) < MAX_EARLY_OFFERS:
        pool.early_offers[offer.identifier] = offer
    if segment is not None and segment.length != offer.length:
        pool.note("segment-refused", segment.identifier, "the other end's copy has another length")
    if segment is None or segment.stage is not SegmentStage.OFFERED or segment.length != offer.length:
        return _answer_again(pool, segment, offer)
    if pool.is_leader:
        if not segment.vouched and not offer.number and _is_right(pool, segment, offer.check):
            pool.number(segment)
            pool.to_offer.append(segment)
        return []
    if not offer.number:
        return []
    if offer.number > pool.highest_number + MAX_LEAP:
        raise RemoteProtocolError(f"the peer gives a segment the number {offer.number}, far from the last")
    if offer.number in pool.order.by_number:
        raise RemoteProtocolError(f"the peer gives two segments the number {offer.number}")
    if offer.number in (pool.own.mark.segment, pool.peer.mark.segment):
        raise RemoteProtocolError(f"the peer gives a segment the number {offer.number}, at which a mark stands already")
    if offer.renews and not segment.vouched:
        raise RemoteProtocolError("the peer would take hash keys from a segment that has its own")
    if segment.vouched and not offer.renews and not pool.has_hash_keys:
        return []  # what gives the hash keys was lost; the leader chooses another with the next greeting
    if not segment.vouched and not _is_right(pool, segment, offer.check):
        return []
    _take_number(pool, segment, offer)
    return [SegmentTaken(segment.number)]


def take_taken(pool: Pool, number: int) -> None:
    """Hear, at the leader, that the follower has taken a segment."""
    segment = pool.order.get(number)
    if pool.is_leader and segment is not None and segment.stage is SegmentStage.NUMBERED:
        pool.make_ready(segment)


def _answer_again(pool: Pool, segment: PooledSegment | None, offer: ListedSegment) -> list[SegmentTaken]:
    if pool.is_leader or segment is None or not segment.in_use or segment.number != offer.number:
        return []
    return [SegmentTaken(segment.number)]


def _take_number(pool: Pool, segment: PooledSegment, offer: ListedSegment) -> None:
    pool.order.give_number(segment, offer.number)
    if offer.renews:
        pool.begin_renewal(segment)
    pool.make_ready(segment)


def _check(pool: Pool, segment: PooledSegment, end: int) -> bytes:
    place = HASH_KEYS_BYTES + (0 if end == LEADER else 16)
    return pool.content.hash_keys(segment.identifier)[place : place + 16]


def _is_right(pool: Pool, segment: PooledSegment, check: bytes) -> bool:
    if hmac.compare_digest(check, _check(pool, segment, pool.peer.number)):
        pool.verifications += 1
        return True
    if check:
        pool.verifications += 1
        segment.wrong_checks += 1
        pool.order.changed(segment)
        pool.note("segment-refused", segment.identifier, "the other end's check is wrong: its copy differs")
        if segment.wrong_checks >= MAX_WRONG_CHECKS:
            pool.retire(segment, "its check was wrong again and again")
    return False
