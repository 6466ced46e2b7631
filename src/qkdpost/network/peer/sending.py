"""How frames are built and what they carry: keys and shares, grants, what waits in the outbox, acknowledgements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qkdpost.errors import InputError, LocalProtocolError
from qkdpost.network.messages.fields import MAX_FRAME_BYTES, MAX_MESSAGES_PER_FRAME
from qkdpost.network.messages.framed import AssignKeys, CarrySegment, Grant, Message, consumed_lengths, wrong_lengths
from qkdpost.network.peer.codec import MAX_RANGES, encode_messages, frame
from qkdpost.network.peer.credit import answer_room, control_room, kept_bytes
from qkdpost.network.peer.flight import SentFrame
from qkdpost.network.peer.tags import TAG_BYTES
from qkdpost.network.pool.booking import Use
from qkdpost.network.pool.direction import Range
from qkdpost.network.pool.grants import begin_grant, grant_worth_giving, whole_grant_worth_giving
from qkdpost.single_use import SingleUse

if TYPE_CHECKING:
    from qkdpost.network.peer.session import PeerSession

__all__ = ["OpenFrame", "send_waiting", "use_of"]

BODY_BYTES = MAX_FRAME_BYTES - 12 * MAX_RANGES - 64
"""What the messages of a frame may be long, whatever number of ranges it names."""


class OpenFrame(SingleUse):
    """A frame whose stretch of the direction is spent; its messages are still to come.

    Args:
        session: that opened it.
        lengths: of what its messages will consume.
    """

    __slots__ = ("_lengths", "_pad", "_ranges", "_session", "material", "provenances")

    def __init__(self, session: PeerSession, lengths: Sequence[int]) -> None:
        pool = session.pool
        self._session = session
        self._lengths = tuple(lengths)
        self._ranges = pool.own.next_ranges(TAG_BYTES + sum(lengths))
        self.provenances = self._provenances()
        """For each entry, the provenances of the segments that it, and the frame's tag and hash key, came from."""
        taken = pool.take(pool.own, self._ranges)
        self._pad = taken[:TAG_BYTES]
        pieces = []
        place = TAG_BYTES
        for length in self._lengths:
            pieces.append(taken[place : place + length])
            place += length
        taken[:] = bytes(len(taken))
        self.material: tuple[bytearray, ...] = tuple(pieces)
        """The bytes of the direction, one entry for each length: keys, or pads. Secret; the caller zeroes them."""

    def _provenances(self) -> tuple[tuple[bytes, ...], ...]:
        pool = self._session.pool
        tag = pool.tag_provenances(self._ranges[0].segment)
        if len(self._ranges) == 1:
            return (tuple(dict.fromkeys((*pool.provenances(self._ranges), *tag))),) * len(self._lengths)
        pad, *pieces = _cut(self._ranges, (TAG_BYTES, *self._lengths))
        tag += pool.provenances(pad[1:])
        return tuple(tuple(dict.fromkeys((*pool.provenances(ranges), *tag))) for ranges in pieces)

    def send(self, messages: Sequence[Any]) -> None:
        """Send messages that consume what was taken, in order. What waits in the outbox goes along.

        Raises:
            InputError: they consume something else, are too long, or none of their kind is sent so.
            LocalProtocolError: the frame was sent, or abandoned, before.
        """
        session = self._session
        if session.open is not self:
            raise LocalProtocolError("this frame is closed: each is sent once, before the next is opened")
        said: tuple[Message, ...] = tuple(messages)
        lengths = tuple(length for message in said for length in consumed_lengths(message))
        wrong = [text for message in said if (text := wrong_lengths(message))]
        if lengths != self._lengths or wrong or not all(isinstance(item, AssignKeys | CarrySegment) for item in said):
            raise InputError(
                f"a frame that was opened for {self._lengths} bytes must have keys or shares of these lengths; "
                f"found {wrong[0] if wrong else lengths}"
            )
        body = encode_messages(said)
        if len(body) > BODY_BYTES or len(said) > MAX_MESSAGES_PER_FRAME:
            raise InputError(f"a frame has room for {BODY_BYTES} bytes; found {len(body)}. Use several frames")
        session.open = None
        for message in said:
            session.pool.spent(use_of(message), sum(consumed_lengths(message)))
        batch = session.outbox.next_batch(
            BODY_BYTES - len(body), MAX_MESSAGES_PER_FRAME - len(said), answers_only=False
        )
        _send(session, self._ranges, self._pad, said, batch)

    def abandon(self) -> None:
        """Send the frame without messages, so that the other end passes the same bytes."""
        for piece in self.material:
            piece[:] = bytes(len(piece))
        self._session.pool.spent("lost", sum(self._lengths))
        if self._session.ready:
            _send(self._session, self._ranges, self._pad, (), [])
        else:
            self._session.pool.spent("tags", TAG_BYTES)

    def __repr__(self) -> str:
        return f"OpenFrame(lengths={self._lengths})"


def use_of(message: Message) -> Use:
    """Return what the bytes that a message consumes are spent on."""
    return "relay" if isinstance(message, CarrySegment) else "delivery"


def send_waiting(session: PeerSession) -> None:
    """Frame a grant if one is due, what waits in the outbox, and an acknowledgement if the other end waits for one."""
    session.abandon_open_frame()
    _send_grant(session)
    while session.outbox.waiting:
        if not _send_batch(session):
            break
    flight, pool = session.flight, session.pool
    is_due = flight.wants_seen or 4 * flight.unanswered_bytes > pool.peer.window > 0
    if is_due and answer_room(pool, flight) >= TAG_BYTES:
        _send_plain(session, (), [])


def _send_grant(session: PeerSession) -> None:
    pool = session.pool
    if grant_worth_giving(pool, 0) is None and whole_grant_worth_giving(pool, 0) is None:
        return  # as in almost every turn: what is kept only makes a grant smaller
    kept = kept_bytes(pool, session.flight, session.outbox) + 2 * TAG_BYTES
    given = grant_worth_giving(pool, kept) or whole_grant_worth_giving(pool, kept)
    if given is None or control_room(pool, session.flight) < TAG_BYTES:
        return
    number, _, new = given
    if any(piece.segment == number and piece.offset + piece.length > new for piece in pool.own.next_ranges(TAG_BYTES)):
        return  # the pad of this very frame would be of what it gives away
    ranges, pad = _take_pad(session)
    begin_grant(pool, *given)
    batch = session.outbox.next_batch(BODY_BYTES - 64, MAX_MESSAGES_PER_FRAME - 1, answers_only=False)
    _send(session, ranges, pad, (Grant(*given),), batch)


def _send_batch(session: PeerSession) -> bool:
    answers_only = control_room(session.pool, session.flight) < TAG_BYTES
    if answers_only and answer_room(session.pool, session.flight) < TAG_BYTES:
        return False
    batch = session.outbox.next_batch(BODY_BYTES, MAX_MESSAGES_PER_FRAME, answers_only=answers_only)
    if batch:
        _send_plain(session, (), batch)
    return bool(batch)


def _send_plain(session: PeerSession, said: tuple[Message, ...], batch: list[tuple[int, Message]]) -> None:
    ranges, pad = _take_pad(session)
    _send(session, ranges, pad, said, batch)


def _take_pad(session: PeerSession) -> tuple[list[Range], bytearray]:
    ranges = session.pool.own.next_ranges(TAG_BYTES)
    return ranges, session.pool.take(session.pool.own, ranges)


def _send(
    session: PeerSession,
    ranges: Sequence[Range],
    pad: bytearray,
    said: tuple[Message, ...],
    batch: list[tuple[int, Message]],
) -> None:
    """Build a frame of what was said once and what waits, tag it, and note that it is on its way."""
    pool, flight = session.pool, session.flight
    sequence = flight.sent + 1
    body = encode_messages([*said, *(message for _, message in batch)])
    data = frame(pool.identifier, pool.own.number, sequence, flight.taken, ranges, body)
    data += session.tag(data, pad, ranges[0].segment, pool.own.number)
    pad[:] = bytes(len(pad))
    pool.spent("tags", TAG_BYTES)
    for number, _ in batch:
        session.outbox.sent(number)
    flight.add(SentFrame(sequence, sum(piece.length for piece in ranges), said, tuple(batch)))
    flight.acknowledged()
    session.emit(data)


def _cut(ranges: Sequence[Range], lengths: Sequence[int]) -> list[list[Range]]:
    """Return the ranges of each length."""
    pieces: list[list[Range]] = []
    rest = list(ranges)
    for wanted in lengths:
        piece: list[Range] = []
        missing = wanted
        while missing:
            number, offset, length = rest.pop(0)
            step = min(missing, length)
            piece.append(Range(number, offset, step))
            missing -= step
            if step < length:
                rest.insert(0, Range(number, offset + step, length - step))
        pieces.append(piece)
    return pieces
