"""Whatever the other end sends: `RemoteProtocolError` and nothing else, and nothing is done."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.fields import MAX_FRAME_BYTES, RefusalReason
from qkdpost.network.messages.framed import AssignAnswer, AssignedKeys, AssignKeys, Grant, KeysAnswer
from qkdpost.network.messages.greetings import (
    ListedSegment,
    Mark,
    PeerHello,
    PeerReady,
    PeerSettled,
    PeerWindow,
    PeerWindowKept,
    SegmentList,
    SegmentOffer,
    SegmentTaken,
)
from qkdpost.network.names import pool_id
from qkdpost.network.peer.codec import MAX_RANGES, encode_greeting, encode_messages, frame
from qkdpost.network.pool.direction import Range
from support.key_manager_pair import Pair, ready_pair

POOL = pool_id("a", "b")


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def state(pair: Pair) -> Any:
    pool = pair.b.pool
    limits = {number: tuple(segment.limits) for number, segment in pool.order.by_number.items()}
    return pool.own.mark, pool.peer.mark, limits, dict(pair.b.held), pool.stored_bytes, pool.peer.window


def refused(pair: Pair, data: bytes) -> None:
    """Send bytes to B: it refuses, nothing has changed, and the connection is dead until a new one."""
    before = state(pair)
    with pytest.raises(RemoteProtocolError):
        pair.b.turn(lambda: pair.b.session.receive_data(data))
    assert state(pair) == before
    assert not pair.b.session.ready and pair.b.session.room_bytes() == 0
    with pytest.raises(RemoteProtocolError):
        pair.b.turn(lambda: pair.b.session.receive_data(b""))


def tagged(pair: Pair, body: bytes, ranges: list[Range] | None = None, **changes: Any) -> bytes:
    """Return a frame of A's with a right tag, made without A's noticing."""
    pool = pair.a.pool
    ranges = ranges or pool.own.next_ranges(16)
    fields = {"pool": POOL, "direction": 0, "sequence": pair.a.session.flight.sent + 1, "seen": 0} | changes
    data = frame(fields["pool"], fields["direction"], fields["sequence"], fields["seen"], ranges, body)

    def tag() -> bytes:
        try:
            pad = pool.own.peek(ranges, 16)
        except Exception:
            pad = bytearray(16)
        return pair.a.session.tag(data, pad, 1, 0)

    return bytes(data + pair.a.turn(tag))


NOTHING = encode_messages([])
KEYS = encode_messages([AssignKeys((AssignedKeys(key_id(7), 32, "m", ("s",)),), 9)])


def test_the_frames_of_these_tests_would_pass() -> None:
    pair = ready_pair()
    pair.b.turn(lambda: pair.b.session.receive_data(tagged(pair, NOTHING)))
    assert pair.b.pool.peer.mark == (1, 16)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool": bytes(16)},
        {"direction": 1},
        {"direction": 255},
        {"sequence": 0},
        {"sequence": 2},
        {"sequence": 2**32 - 1},
        {"seen": 1},
        {"ranges": [Range(1, 0, 15)]},
        {"ranges": [Range(1, 0, 0)]},
        {"ranges": [Range(1, 1, 16)]},
        {"ranges": [Range(1, 0, 2**32 - 1)]},
        {"ranges": [Range(2, 0, 16)]},
        {"ranges": [Range(2**32 - 1, 2**32 - 1, 2**32 - 1)]},
        {"ranges": [Range(1, 0, 16), Range(1, 0, 16)]},
        {"ranges": [Range(1, 0, 16), Range(1, 20, 16)]},
        {"ranges": [Range(1, 0, 1)] * MAX_RANGES},
        {"body": b""},
        {"body": b"\xff" * 40},
        {"body": b"\x91" * 20_000},
        {"body": msgspec.msgpack.encode([[99, 1]])},
        {"body": KEYS},
        {"body": encode_messages([Grant(1, 5, 5)])},
        {"body": encode_messages([Grant(1, 5, 9)])},
        {"body": encode_messages([Grant(9, 5, 4)])},
        {"body": encode_messages([Grant(1, 2**32 - 1, 0)])},
        {"body": encode_messages([AssignAnswer((KeysAnswer(key_id(1), RefusalReason.HELD),))] * 65)},
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_authentic_frame_that_says_what_cannot_be(changes: dict[str, Any]) -> None:
    pair = ready_pair()
    before = dict(pair.b.held)
    with pytest.raises(RemoteProtocolError):
        pair.b.turn(lambda: pair.b.session.receive_data(tagged(pair, changes.pop("body", NOTHING), **changes)))
    assert pair.b.held == before
    pair.connect()
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        (MAX_FRAME_BYTES - 3).to_bytes(4, "little"),
        b"\1\0\0\0\2",
        b"\1\0\0\0\0",
        b"\1\0\0\0\1",
        b"\x30\0\0\0\1" + bytes(47),
        encode_greeting(PeerHello(2, POOL, "a", Mark(0, 0), Mark(0, 0), 0, 0, 0)),
        encode_greeting(SegmentList((ListedSegment(bytes(16), 0, False, 1, 0, 0, False, b""),))),
        encode_greeting(PeerSettled(Mark(9, 9), 9)),
        encode_greeting(PeerReady()),
        encode_greeting(PeerWindow(2**24 + 1)),
        encode_greeting(PeerWindowKept(2**20)),
    ],
    ids=range(13),
)
def test_bytes_at_the_wrong_time_or_of_no_kind(data: bytes) -> None:
    refused(ready_pair(), data)


@pytest.mark.parametrize(
    "greeting", [SegmentTaken(5), SegmentOffer(ListedSegment(bytes(16), 3, False, 4032, 1, 1, False, b""))]
)
def test_greetings_that_change_nothing(greeting: Any) -> None:
    pair = ready_pair()
    before = state(pair)
    pair.b.turn(lambda: pair.b.session.receive_data(encode_greeting(greeting)))
    assert state(pair) == before


def hello(**changes: Any) -> PeerHello:
    fields: dict[str, Any] = {
        "version": 2,
        "pool": POOL,
        "name": "a",
        "sent": Mark(0, 0),
        "received": Mark(0, 0),
        "window": 0,
        "highest_number": 0,
        "segments": 0,
    }
    return PeerHello(**(fields | changes))


def listed(**changes: Any) -> ListedSegment:
    fields: dict[str, Any] = {
        "identifier": bytes([1] * 16),
        "number": 1,
        "in_use": False,
        "length": 4032,
        "own_limit": 1984,
        "peer_limit": 2048,
        "renews": False,
        "check": b"",
    }
    return ListedSegment(**(fields | changes))


@pytest.mark.parametrize(
    "greetings",
    [
        [hello(version=3)],
        [hello(pool=bytes(16))],
        [hello(name="c")],
        [SegmentList((listed(),))],
        [PeerReady()],
        [PeerSettled(Mark(0, 0), 0)],
        [hello(segments=1), SegmentList((listed(), listed(identifier=bytes(16), number=2)))],
        [hello(segments=2), SegmentList((listed(), listed()))],
        [hello(segments=2), SegmentList((listed(), listed(identifier=bytes(16))))],
        [hello(segments=1), SegmentList((listed(own_limit=4032, peer_limit=1),))],
        [hello(segments=1), SegmentList((listed(number=0, in_use=True),))],
        [hello(), PeerSettled(Mark(0, 0), 0), PeerSettled(Mark(0, 0), 0)],
        [hello(), PeerSettled(Mark(0, 0), 2**24 + 1)],
    ],
    ids=lambda value: str(value)[:60],
)
def test_greetings_that_contradict_themselves(greetings: list[Any]) -> None:
    pair = Pair()
    pair.add(1)
    pair.b.turn(pair.b.session.connection_made)
    with pytest.raises(RemoteProtocolError):
        pair.b.turn(lambda: [pair.b.session.receive_data(encode_greeting(greeting)) for greeting in greetings])
    pair.connect()
    assert pair.b.session.ready


def test_marks_may_not_go_back() -> None:
    pair = ready_pair()
    pair.a.assign(key_id(1))
    pair.exchange()
    pair.lose()
    pair.b.turn(pair.b.session.connection_made)
    mark = pair.b.pool.peer.mark
    for greeting in (hello(), PeerSettled(Mark(mark.segment, mark.offset - 1), 0)):
        data = encode_greeting(greeting)
        if isinstance(greeting, PeerHello):
            pair.b.turn(lambda data=data: pair.b.session.receive_data(data))
        else:
            with pytest.raises(RemoteProtocolError, match="go back"):
                pair.b.turn(lambda data=data: pair.b.session.receive_data(data))


def test_marks_far_ahead_lose_key_and_nothing_else() -> None:
    pair = ready_pair()
    pair.lose()
    pair.b.turn(pair.b.session.connection_made)
    most = 2**32 - 1
    entry = listed(number=1, in_use=True, own_limit=0, peer_limit=0)
    forged = [
        hello(received=Mark(2**20, most), highest_number=most, segments=1, window=most),
        SegmentList((entry,)),
        PeerSettled(Mark(2**20, most), 2**24),
    ]
    pair.b.turn(lambda: [pair.b.session.receive_data(encode_greeting(greeting)) for greeting in forged])
    assert pair.b.pool.own.rest == 0
    pair.connect()
    assert pair.a.session.ready and pair.b.session.ready
    assert pair.a.session.room_bytes() == pair.b.session.room_bytes() == 0
    pair.add(2)
    pair.exchange()
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told, "key that comes in later is numbered behind the forged marks"


def test_numbers_that_nobody_gave_are_refused_and_all_numbers_cannot_be_used_up_at_once() -> None:
    pair = ready_pair()
    most = 2**32 - 1
    for forged in (
        [hello(received=Mark(most, 0), highest_number=most)],
        [hello(highest_number=most), PeerSettled(Mark(most, 0), 0)],
        [hello(highest_number=most, segments=1), SegmentList((listed(number=most),))],
    ):
        pair.lose()
        pair.b.turn(pair.b.session.connection_made)
        with pytest.raises(RemoteProtocolError, match="nobody gave"):
            pair.b.turn(lambda forged=forged: [pair.b.session.receive_data(encode_greeting(said)) for said in forged])
    assert pair.b.pool.highest_number == 1 + 3 * 2**24
    for _ in range(2):
        try:
            pair.connect()
        except RemoteProtocolError:
            continue
    pair.connect()
    pair.add(2)
    pair.exchange()
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told
    pair.a.pool.highest_number = most
    pair.add(3)
    pair.exchange()
    assert [notice.kind for notice in pair.a.pool.notices][-1] == "pool-full"


def test_frames_of_yesterday_and_of_other_pools_are_refused() -> None:
    pair = ready_pair(8192)
    pair.a.assign(key_id(1))
    yesterday = pair.drop("a")
    pair.b.turn(lambda: pair.b.session.receive_data(yesterday))
    refused(pair, yesterday)
    pair.connect()
    refused(pair, yesterday)
    other = ready_pair(8192, seed=2)
    other.a.assign(key_id(1))
    pair.connect()
    with pytest.raises(RemoteProtocolError):
        pair.b.turn(lambda: pair.b.session.receive_data(other.drop("a")))
    pair.connect()
    refused(pair, pair.drop("b") or yesterday)


def test_a_frame_that_somebody_took_out_is_missed() -> None:
    pair = ready_pair(1024, segments=2)
    for number in range(40):
        pair.a.assign(key_id(number), length=32)
        first = pair.drop("a")
        pair.a.assign(key_id(100 + number), length=1)
        second = pair.drop("a")
        with pytest.raises(RemoteProtocolError):
            pair.b.turn(lambda second=second: pair.b.session.receive_data(second))
        assert first and not pair.b.held
        pair.connect()
        if pair.a.session.room_bytes() < 64:
            return
    raise AssertionError("the pool never ran dry")


def one_day(pair: Pair) -> bytes:
    """Return what A sends after a greeting, with two frames in it."""
    pair.a.assign(key_id(1), key_id(2))
    pair.a.assign(key_id(3), length=40)
    return pair.drop("a")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_bytes_cut_anywhere_mean_the_same(data: Any) -> None:
    pair = ready_pair()
    day = one_day(pair)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(day)), max_size=6)))
    for start, end in zip([0, *cuts], [*cuts, len(day)], strict=True):
        pair.b.turn(lambda start=start, end=end: pair.b.session.receive_data(day[start:end]))
    assert set(pair.b.held) == {key_id(1), key_id(2), key_id(3)}


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_altered_bytes_hold_up_or_are_refused_and_never_taken(data: Any) -> None:
    pair = ready_pair()
    day = bytearray(one_day(pair))
    place = data.draw(st.integers(0, len(day) - 1))
    day[place] ^= data.draw(st.integers(1, 255))
    first = 4 + int.from_bytes(day[:4], "little")
    try:
        pair.b.turn(lambda: pair.b.session.receive_data(day))
    except RemoteProtocolError:
        assert not pair.b.session.ready
    assert set(pair.b.held) in (set(), {key_id(1), key_id(2)})
    assert place >= min(first, 4) or not pair.b.held


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes(noise: bytes, whole: bool, greeting: bool) -> None:
    pair = ready_pair()
    kind = b"\0" if greeting else b"\1"
    data = (len(noise) + 1).to_bytes(4, "little") + kind + noise if whole else noise
    before = state(pair)
    try:
        pair.b.turn(lambda: pair.b.session.receive_data(data))
    except RemoteProtocolError:
        assert not pair.b.session.ready
    assert state(pair) == before


SMALL_NUMBERS = st.sampled_from([0, 1, 2, 16, 1984, 2048, 4032, 2**31, 2**32 - 1])
ENTRIES = st.builds(
    ListedSegment,
    st.sampled_from([bytes([1] * 16), bytes([2] * 16), bytes(16)]),
    SMALL_NUMBERS,
    st.booleans(),
    SMALL_NUMBERS,
    SMALL_NUMBERS,
    SMALL_NUMBERS,
    st.booleans(),
    st.sampled_from([b"", bytes(16), bytes(3)]),
)
MARKS = st.builds(Mark, SMALL_NUMBERS, SMALL_NUMBERS)
GREETINGS = st.one_of(
    st.builds(PeerSettled, MARKS, SMALL_NUMBERS),
    st.just(PeerReady()),
    st.builds(SegmentOffer, ENTRIES),
    st.builds(SegmentTaken, SMALL_NUMBERS),
    st.builds(PeerWindow, SMALL_NUMBERS),
    st.builds(PeerWindowKept, SMALL_NUMBERS),
)


@settings(max_examples=80, deadline=None)
@given(MARKS, MARKS, SMALL_NUMBERS, st.lists(ENTRIES, max_size=3), st.lists(GREETINGS, max_size=6), st.booleans())
def test_any_greeting_only_ever_gives_key_up(
    sent: Mark, received: Mark, window: int, entries: list[Any], more: list[Any], follower: bool
) -> None:
    pair = ready_pair(segments=2)
    end, name = (pair.b, "a") if follower else (pair.a, "b")
    pair.lose()
    end.turn(end.session.connection_made)
    marks = end.pool.own.mark, end.pool.peer.mark
    limits = {number: list(segment.limits) for number, segment in end.pool.order.by_number.items()}
    said = [hello(name=name, sent=sent, received=received, window=window, segments=len(entries))]
    said += [SegmentList(tuple(entries))] if entries else []
    try:
        for greeting in (*said, *more):
            end.turn(lambda greeting=greeting: end.session.receive_data(encode_greeting(greeting)))
    except RemoteProtocolError:
        pass
    assert end.pool.own.mark >= marks[0] and end.pool.peer.mark >= marks[1]
    for number, segment in end.pool.order.by_number.items():
        if number in limits:
            assert all(now <= was for now, was in zip(segment.limits, limits[number], strict=True))
    end.crash()
    pair.connect()
    assert pair.a.session.ready and pair.b.session.ready
