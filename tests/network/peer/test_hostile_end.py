"""What a hostile end says, in greetings and in frames of its own: key may be lost by it, but nothing else breaks."""

from __future__ import annotations

from typing import Any

import pytest

from qkdpost.errors import RemoteProtocolError, StoreUnavailable
from qkdpost.network.messages.framed import AssignedKeys, AssignKeys, Grant
from qkdpost.network.messages.greetings import (
    ListedSegment,
    Mark,
    PeerHello,
    PeerReady,
    PeerSettled,
    SegmentList,
    SegmentOffer,
    SegmentTaken,
)
from qkdpost.network.names import pool_id
from qkdpost.network.peer.codec import MAX_RANGES, encode_greeting, encode_messages, frame
from qkdpost.network.pool import PoolSettings
from qkdpost.network.pool.direction import Range
from qkdpost.network.pool.vouching import segment_checks
from support.key_manager_pair import End, Pair, ready_pair

POOL = pool_id("a", "b")
NOWHERE = Mark(0, 0)


def hello(name: str, *, segments: int, received: Mark = NOWHERE, highest_number: int = 0) -> PeerHello:
    return PeerHello(2, POOL, name, Mark(0, 0), received, 0, highest_number, segments)


def forge(end: End, *greetings: Any) -> None:
    """Begin a connection in which the other end says all this, each in a turn of its own."""
    end.turn(end.session.connection_lost)
    end.turn(end.session.connection_made)
    for greeting in greetings:
        end.turn(lambda greeting=greeting: end.session.receive_data(encode_greeting(greeting)))


def entry(end: End, number: int, *, own_limit: int, peer_limit: int) -> ListedSegment:
    segment = end.pool.order[number]
    return ListedSegment(segment.identifier, number, True, segment.length, own_limit, peer_limit, False, b"")


def test_marks_of_both_directions_never_pass_the_same_bytes() -> None:
    pair = ready_pair(segments=2)
    first = entry(pair.b, 1, own_limit=10, peer_limit=10)
    second = entry(pair.b, 2, own_limit=0, peer_limit=0)
    forge(
        pair.b,
        hello("a", segments=2, received=Mark(1, 4000)),
        SegmentList((first, second)),
        PeerSettled(Mark(1, 4000), 64),
    )
    assert pair.b.pool.stored_bytes >= 0
    forge(
        pair.b,
        hello("a", segments=2, received=Mark(2, 5)),
        SegmentList((first, second)),
        PeerSettled(Mark(2, 5), 64),
    )
    pair.connect()
    pair.add(3)
    pair.exchange()
    pair.a.assign(bytes(16))
    pair.exchange()
    assert pair.a.told, "the pool goes on with key that comes in later"


def test_a_number_that_a_mark_has_passed_is_given_to_no_segment() -> None:
    pair = Pair()
    content = pair.draw.randbytes(4096)
    for end in pair.ends:
        end.add(bytes([1] * 16), content)
    shown, _ = segment_checks(bytes([1] * 16), content)
    offer = ListedSegment(bytes([1] * 16), 7, False, 4032, 2048, 4032 - 2048, False, shown)
    with pytest.raises(RemoteProtocolError, match="number 7"):
        forge(
            pair.b,
            hello("a", segments=0, received=Mark(7, 2**32 - 1), highest_number=7),
            PeerSettled(Mark(7, 2**32 - 1), 64),
            PeerReady(),
            SegmentOffer(offer),
        )
    pair.b.turn()


def test_a_mark_in_a_segment_that_is_taken_later_counts() -> None:
    pair = Pair()
    content = pair.draw.randbytes(4096)
    pair.a.add(bytes([1] * 16), content)
    pair.a.turn(lambda: pair.a.pool.number(pair.a.pool.order.by_identifier[bytes([1] * 16)]))
    listed = ListedSegment(bytes([1] * 16), 0, False, 4032, 4032 - 2048, 2048, False, b"")
    forge(
        pair.a,
        hello("b", segments=1, received=Mark(1, 2000), highest_number=1),
        SegmentList((listed,)),
        PeerSettled(Mark(1, 100), 64),
        PeerReady(),
        SegmentTaken(1),
    )
    for direction in (pair.a.pool.own, pair.a.pool.peer):
        said = direction.rest
        direction.recount()
        assert said == direction.rest


def test_limits_that_leave_a_byte_of_each_segment_break_no_frame() -> None:
    settings = PoolSettings(
        window_bytes=2**16, floor_bytes=0, least_answer_bytes=16, chunk_bytes=16, least_grant_bytes=64
    )
    pair = Pair(settings)
    for number in range(MAX_RANGES + 100):
        content = pair.draw.randbytes(192)
        for end in pair.ends:
            end.add(number.to_bytes(16, "big"), content)
    pair.add(1, 2**20)
    pair.connect()
    pool = pair.a.pool
    entries = [
        entry(pair.a, number, own_limit=1, peer_limit=1 if segment.length == 128 else 2**19)
        for number, segment in pool.order.by_number.items()
    ]
    forge(
        pair.a,
        hello("b", segments=len(entries)),
        *(SegmentList(tuple(entries[start : start + 100])) for start in range(0, len(entries), 100)),
        PeerSettled(Mark(0, 0), 64),
        PeerReady(),
    )
    assert pool.own.rest > 2 * MAX_RANGES
    frame = pair.a.turn(lambda: pair.a.session.open_frame([pair.a.session.room_bytes() or 1]))
    assert frame.material


def test_bytes_that_this_side_was_granted_and_has_passed_are_no_pad_for_the_other() -> None:
    pair = ready_pair(4096 + 64)
    pair.a.give(1, 1024)
    pair.exchange()
    for theirs in (3072, 2048):
        forge(
            pair.b,
            hello("a", segments=1, received=Mark(1, 3072), highest_number=1),
            SegmentList((entry(pair.b, 1, own_limit=1024, peer_limit=theirs),)),
            PeerSettled(Mark(1, 1024), 1024),
        )
    assert pair.b.pool.order[1].limits == [1024, 2048]
    assert pair.b.pool.own.mark == (1, 3072)
    ranges = [Range(1, 1024, 16)]
    forged = frame(POOL, 0, 1, 0, ranges, encode_messages([])) + bytes(16)
    with pytest.raises(RemoteProtocolError, match="not of this direction"):
        pair.b.turn(lambda: pair.b.session.receive_data(forged))


def test_a_turn_in_which_a_message_was_done_in_part_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ready_pair()
    pair.a.assign(bytes(16))
    sent = pair.drop("a")
    before = pair.b.pool.peer.mark
    monkeypatch.setattr(pair.b, "received", lambda *_: 1 / 0)
    pair.b.store.begin()
    with pytest.raises(ZeroDivisionError):
        pair.b.session.receive_data(sent)
    pair.b.session.connection_lost()
    with pytest.raises(StoreUnavailable):
        pair.b.session.prepare()
    monkeypatch.undo()
    pair.b.crash()
    assert pair.b.pool.peer.mark == before


def test_a_frame_with_a_grant_that_cannot_be_leaves_the_accounts_balanced() -> None:
    pair = ready_pair()
    keys = AssignKeys((AssignedKeys(bytes(16), 32, "m", ("s",)),), 9)

    def forged() -> bytearray:
        own = pair.a.pool.own
        ranges = own.next_ranges(48)
        data = frame(POOL, 0, pair.a.session.flight.sent + 1, 0, ranges, encode_messages([Grant(1, 5, 9), keys]))
        return data + pair.a.session.tag(data, own.peek(ranges, 16), 1, 0)

    data = pair.a.turn(forged)
    with pytest.raises(RemoteProtocolError, match="gave away"):
        pair.b.turn(lambda: pair.b.session.receive_data(data))
    assert not pair.b.held
    assert pair.b.booked.spent["lost"] == 8 * 32


def test_a_pool_takes_no_more_segments_than_its_ends_can_tell_each_other_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qkdpost.network.pool.arriving.MOST_SEGMENTS", 2)
    pair = ready_pair(segments=2)
    assert not pair.a.add(bytes([9] * 16), bytes(4096))
    assert pair.a.pool.notices[-1].kind == "pool-full"
    pair.connect()
    assert pair.a.session.ready
