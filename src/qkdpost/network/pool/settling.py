"""What a greeting does to a pool: both ends compare segments, limits and marks, and only ever give up key by it.

*Marks.* Each end's direction goes on from the farther of its own mark and what the other end has received of it. So a
frame that was sent and lost is never made again, and one of an older connection lies before the receiver's mark.

*Restored backups.* A store that was put back does not know what was sent after the backup was made, and the other end
knows only of what it received. But a sender never runs more than its window ahead of what the receiver has stored. So
with the first greeting after each start of a process, the direction skips the window that the *receiver* has stored
for it, counted from the receiver's mark, and takes no pad before the receiver has stored the new mark. Without the
skip, or without storing it first, an exhaustive search of the protocol finds two texts under one pad.

The window is counted along the stream, so the stream has to be, for the restored store, at most as long as it was for
the lost one. A segment in which the lost process may have spent is in use at the other end too, by the order of the
states in `segment`: it is in use here as well, or takes its number before the skip is counted, or is given up (a
segment in use that the other end does not list as in use is given up). And every limit at which the lost process left
a segment was known to the other end: its own grants since it does not leave a segment before they are confirmed; the
other end's grants since they raise that end's notion of the limit only when they are confirmed. The least of all that
both know is taken for the limit, so that what the skip counts is never longer than what was there.

*What is left.* If both stores were restored, or one was and a greeting was forged, which needs TLS to be broken too, a
pad may meet two texts. Against that helps only a store that refuses to open when it is older than it was.

*Forged greetings.* Whoever breaks TLS can make marks jump, limits shrink and segments be given up: key is lost, none is
disclosed or used twice, since nothing in a greeting ever moves a mark back or a limit out. Key that comes in later is
numbered behind the farthest mark, and serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.greetings import ListedSegment, Mark, PeerHello, SegmentTaken
from qkdpost.network.pool.direction import Place
from qkdpost.network.pool.numbering import take_offer
from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.segment import PooledSegment, SegmentStage

__all__ = ["Settlement", "settle", "store_peer_mark"]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What comes of a greeting.

    Args:
        mark: where this end's direction goes on.
        window: how far it will run ahead.
        restored: whether the other end has received more than this store knows to have sent.
        answers: what to say of segments.
    """

    mark: Place
    window: int
    restored: bool
    answers: tuple[SegmentTaken, ...]


def settle(pool: Pool, hello: PeerHello, segments: Sequence[ListedSegment], *, fresh: bool) -> Settlement:
    """Compare what both ends have.

    Args:
        pool: of this end.
        hello: of the other end.
        segments: that the other end lists.
        fresh: whether this is the first greeting of this process.

    Raises:
        RemoteProtocolError: the other end's list contradicts itself.
    """
    theirs = _checked(segments)
    pool.unconfirmed_grants.clear()
    pool.learn_number(hello.highest_number)
    received = Place(hello.received.segment, hello.received.offset)
    if max((received.segment, *(entry.number for entry in segments))) > pool.highest_number:
        raise RemoteProtocolError("the peer names numbers of segments that nobody gave, or more at once than could be")
    for segment in list(pool.order.by_identifier.values()):
        _compare(pool, segment, theirs.get(segment.identifier), hello)
    differ = _hash_keys_differ(pool, hello, theirs)
    if pool.is_leader:
        pool.choose_renewal(anew=differ)
    in_order = sorted(segments, key=lambda entry: entry.number)
    answers = [answer for entry in in_order for answer in take_offer(pool, entry)]
    pool.own.recount()
    pool.peer.recount()
    restored = received > pool.own.mark
    mark = max(pool.own.mark, received)
    if fresh:
        mark = max(mark, pool.own.place_after(received, hello.window))
    pool.pass_up_to(pool.own, mark)
    if restored:
        pool.note("restored", None, "the other end has received more than this store has sent: it was put back")
    return Settlement(pool.own.mark, _window(pool), restored, tuple(answers))


def store_peer_mark(pool: Pool, mark: Mark, window: int) -> None:
    """Go on in the other end's direction from where it says, with the window that it says.

    Raises:
        RemoteProtocolError: that is before what was received already.
    """
    place = Place(mark.segment, mark.offset)
    if place < pool.peer.mark:
        raise RemoteProtocolError(
            f"the peer would go back from byte {pool.peer.mark.offset} of segment {pool.peer.mark.segment} to byte "
            f"{place.offset} of segment {place.segment}"
        )
    if place.segment > pool.highest_number:
        raise RemoteProtocolError(f"the peer goes on from segment {place.segment}, a number that nobody gave")
    pool.pass_up_to(pool.peer, place)
    pool.peer.keep_window(window)


def _window(pool: Pool) -> int:
    return min(pool.settings.window_bytes, pool.capacity // 4)


def _checked(segments: Sequence[ListedSegment]) -> dict[bytes, ListedSegment]:
    theirs = {entry.identifier: entry for entry in segments}
    numbers = [entry.number for entry in segments if entry.number]
    if len(theirs) < len(segments) or len(set(numbers)) < len(numbers):
        raise RemoteProtocolError("the peer lists a segment, or a number of one, twice")
    for entry in segments:
        if entry.own_limit + entry.peer_limit > entry.length or (entry.in_use and not entry.number):
            raise RemoteProtocolError("the peer lists a segment whose numbers contradict each other")
    return theirs


def _compare(pool: Pool, segment: PooledSegment, entry: ListedSegment | None, hello: PeerHello) -> None:
    """Keep, promote or give up one segment."""
    if entry is None:
        if segment.stage is not SegmentStage.OFFERED:
            pool.retire(segment, "the other end does not list it")
        elif segment.vouched and hello.pending is not None and segment.identifier not in hello.pending:
            pool.retire(segment, "its transfer is over at the other end")
    elif segment.stage is SegmentStage.OFFERED:
        if entry.in_use:
            pool.retire(segment, "the other end has used it, and this store does not know it")
    elif entry.length != segment.length or (entry.number and entry.number != segment.number):
        pool.retire(segment, "the other end has another one under its name")
    elif segment.in_use and not entry.number:
        pool.retire(segment, "the other end does not know that it is in use")
    else:
        if segment.stage is SegmentStage.NUMBERED and entry.in_use:
            pool.make_ready(segment)
        if segment.in_use:
            _shrink(pool, segment, entry)


def _hash_keys_differ(pool: Pool, hello: PeerHello, theirs: dict[bytes, ListedSegment]) -> bool:
    """Give up transferred segments if one end was put back before it had their hash keys."""
    mine = pool.hash_keys_name
    entry = theirs.get(mine)
    if mine == hello.hash_keys or (not pool.is_leader and entry is not None and not entry.in_use):
        return False  # the same, or the leader hears with this greeting that they were taken
    for segment in list(pool.order.by_number.values()):
        if segment.vouched and segment.in_use:
            pool.retire(segment, "the two ends have other hash keys")
    return True


def _shrink(pool: Pool, segment: PooledSegment, entry: ListedSegment) -> None:
    """Take the least that both ends know for the limit of either direction."""
    own, other = pool.own.number, pool.peer.number
    mine, theirs = segment.limits[own], segment.limits[other]
    limits = [0, 0]
    limits[own] = min(mine, entry.peer_limit, segment.length - entry.own_limit)
    limits[other] = min(theirs, entry.own_limit, segment.length - mine)
    if limits != segment.limits:
        segment.limits = limits
        pool.order.changed(segment)
