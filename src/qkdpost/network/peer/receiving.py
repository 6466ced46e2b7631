"""How a frame is taken: everything is checked before anything is done, and then all of it is done in one turn."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.framed import (
    AssignAnswer,
    AssignKeys,
    CarryDone,
    Grant,
    Message,
    consumed_bytes,
    consumed_lengths,
)
from qkdpost.network.peer.codec import Header, decode_messages, header_of
from qkdpost.network.peer.sending import use_of
from qkdpost.network.peer.tags import TAG_BYTES
from qkdpost.network.pool.grants import confirm_grant, take_grant

if TYPE_CHECKING:
    from qkdpost.network.peer.session import PeerSession
    from qkdpost.network.pool.direction import Direction

__all__ = ["receive_frame"]


def receive_frame(session: PeerSession, whole: bytes) -> None:
    """Take a whole frame.

    Raises:
        RemoteProtocolError: it is not next, its tag is wrong, or it says what cannot be. Nothing of it was done; of an
            authentic one that gives away what cannot be given, only what stands before that.
    """
    header = header_of(whole)
    _check_header(session, header)
    _check_tag(session, whole, header)
    messages = decode_messages(whole, header)
    count = sum(piece.length for piece in header.ranges)
    consumed = sum(map(consumed_bytes, messages))
    if count < TAG_BYTES + consumed:
        raise RemoteProtocolError(f"the peer named {count} bytes for messages that take {consumed}")
    _check_messages(session, messages)
    _confirm(session, header.seen)
    _check_places(session, header, None)
    _take(session, header, messages, count)


def _check_header(session: PeerSession, header: Header) -> None:
    pool, flight = session.pool, session.flight
    if header.pool != pool.identifier or header.direction != pool.peer.number:
        raise RemoteProtocolError("the peer sent a frame of another pool, or of this side's own direction")
    if header.sequence != flight.taken + 1:
        raise RemoteProtocolError(f"the peer sent frame {header.sequence}; {flight.taken + 1} is next")
    if header.seen > flight.sent:
        raise RemoteProtocolError(f"the peer has taken frame {header.seen}; {flight.sent} were sent")
    if sum(piece.length for piece in header.ranges) < TAG_BYTES:
        raise RemoteProtocolError("the peer named fewer bytes than a tag needs")
    _check_places(session, header, pool.own)


def _check_places(session: PeerSession, header: Header, but: Direction | None) -> None:
    refusal = session.pool.peer.refusal(header.ranges, but=but)
    if refusal:
        session.pool.note("peer-disagrees", None, refusal)
        raise RemoteProtocolError(f"the two ends disagree on what is next: {refusal}. Connect again")


def _check_tag(session: PeerSession, whole: bytes, header: Header) -> None:
    """Verify the tag, with a pad that is in no frame of the error that this raises."""
    pool = session.pool
    pad = pool.peer.peek(header.ranges, TAG_BYTES)
    right = session.tag(whole[:-TAG_BYTES], pad, header.ranges[0].segment, pool.peer.number)
    pad[:] = bytes(len(pad))
    is_right = hmac.compare_digest(right, whole[-TAG_BYTES:])
    del right
    pool.verifications += 1
    if not is_right:
        pool.count_wrong_tag(header.ranges[0].segment)
        raise RemoteProtocolError(
            "the tag of a frame is wrong: somebody altered it, or the two copies of a segment differ. Connect again"
        )


def _check_messages(session: PeerSession, messages: list[Message]) -> None:
    for message in messages:
        if not isinstance(message, Grant) and type(message) not in session.handlers:
            raise RemoteProtocolError(f"the peer sent {type(message).__name__}, which nobody takes here")


def _confirm(session: PeerSession, seen: int) -> None:
    done = session.flight.confirm(seen)
    if done:
        session.progressed()
    for frame in done:
        for number, message in frame.queued:
            session.outbox.confirmed(number)
            session.confirmed(message)
        for message in frame.messages:
            if isinstance(message, Grant):
                confirm_grant(session.pool, message.segment)
            else:
                session.confirmed(message)


def _take(session: PeerSession, header: Header, messages: list[Message], count: int) -> None:
    pool, flight = session.pool, session.flight
    taken = pool.take(pool.peer, header.ranges)
    flight.taken += 1
    flight.unanswered_bytes += count
    flight.wants_seen |= any(not isinstance(message, AssignAnswer | CarryDone | AssignKeys) for message in messages)
    flight.settled(messages)
    pool.spent("tags", TAG_BYTES)
    place = TAG_BYTES
    try:
        for message in messages:
            pieces = []
            for length in consumed_lengths(message):
                pieces.append(taken[place : place + length])
                place += length
            if pieces:
                pool.spent(use_of(message), sum(map(len, pieces)))
            _dispatch(session, message, tuple(pieces))
    finally:
        taken[:] = bytes(len(taken))
        pool.spent("lost", count - place)


def _dispatch(session: PeerSession, message: Message, material: tuple[bytearray, ...]) -> None:
    if isinstance(message, Grant):
        wrong = take_grant(session.pool, message.segment, message.old_limit, message.new_limit)
        if wrong:
            raise RemoteProtocolError(f"the peer gave away what cannot be: {wrong}")
        return
    session.handlers[type(message)].received(session, message, material)
