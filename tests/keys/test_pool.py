from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import InputError, KeyPoolExhausted, LocalProtocolError, QkdpostError
from qkdpost.keys import KeyPool, PadReference, SegmentState

PRESHARED = bytes(range(32, 32 + 132))
FIRST = bytes(16)
NEW = b"n" * 16


def pools() -> tuple[KeyPool, KeyPool]:
    return KeyPool(PRESHARED), KeyPool(PRESHARED)


def reference(offset: int, length: int, segment: bytes = FIRST) -> PadReference:
    return PadReference(segment=segment, offset=offset, length=length)


def test_another_thread_may_ask_what_is_left_while_keys_come_in() -> None:
    pool, done = KeyPool(bytes(64)), threading.Event()

    def refill() -> None:
        for number in range(1, 1000):
            pool.refill(number.to_bytes(16, "little"), bytes(16))
        done.set()

    thread = threading.Thread(target=refill)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        while not done.is_set():
            assert pool.available_bytes + pool.resting_bytes >= 32
    finally:
        sys.setswitchinterval(before)
        thread.join()


def test_both_hosts_hold_the_same_pads() -> None:
    opener, peer = pools()
    assert opener.hash_key == peer.hash_key == PRESHARED[:32]
    for _ in range(2):
        piece = opener.reserve(48)
        peer.claim(piece)
        for start in (16, 0, 32):
            expected = PRESHARED[32 + piece.offset + start :][:16]
            assert opener.pad(piece, start, 16) == peer.pad(piece, start, 16) == expected
    assert opener.spent_bytes == peer.spent_bytes == 96
    assert opener.available_bytes == peer.available_bytes == 4


def test_no_byte_is_handed_out_twice() -> None:
    pool, _ = pools()
    piece = pool.reserve(48)
    pool.pad(piece, 0, 16)
    for start, count in ((0, 16), (15, 2), (0, 48)):
        with pytest.raises(LocalProtocolError, match="once"):
            pool.pad(piece, start, count)
    pool.pad(piece, 16, 32)
    with pytest.raises(LocalProtocolError):
        pool.pad(piece, 0, 1)


@pytest.mark.parametrize(("start", "count"), [(-1, 2), (40, 9), (48, 1), (0, 0), (0, -1)])
def test_nothing_outside_a_piece_is_handed_out(start: int, count: int) -> None:
    pool, _ = pools()
    with pytest.raises(LocalProtocolError):
        pool.pad(pool.reserve(48), start, count)


def test_a_piece_that_was_not_reserved_or_was_released_is_refused() -> None:
    pool, _ = pools()
    with pytest.raises(LocalProtocolError):
        pool.pad(reference(0, 48), 0, 16)
    piece = pool.reserve(48)
    pool.release(piece)
    pool.release(piece)
    with pytest.raises(LocalProtocolError):
        pool.pad(piece, 0, 16)
    assert pool.reserve(48).offset == 48


def test_what_nobody_used_comes_back_with_the_next_connection() -> None:
    pool, peer = pools()
    first, second, third = (pool.reserve(20) for _ in range(3))
    assert pool.available_bytes == 40
    assert pool.pad(second, 0, 1) == PRESHARED[52:53]
    assert (pool.spent_bytes, pool.available_bytes) == (40, 40)
    pool.synchronise(peer.inventory())
    assert (pool.spent_bytes, pool.available_bytes) == (40, 60)
    for piece in (first, second, third):
        with pytest.raises(LocalProtocolError):
            pool.pad(piece, 1, 1)
    assert pool.reserve(20) == third
    assert pool.pad(third, 0, 20) == PRESHARED[72:92]


def test_a_piece_that_was_taken_is_good_though_its_segment_is_spent() -> None:
    pool, _ = pools()
    first, second = pool.reserve(50), pool.reserve(50)
    assert pool.pad(second, 0, 50) == PRESHARED[82:]
    assert pool.inventory() == ()
    assert pool.pad(first, 0, 50) == PRESHARED[32:82]
    assert pool.spent_bytes == 100


def test_connections_without_a_tag_spend_nothing() -> None:
    """Whoever can open one, and whatever he says of his pool."""
    pool, _ = pools()
    before, revision = pool.snapshot(), pool.revision
    for told in ([], [state(FIRST, 0, 100)], [state(FIRST, 100, 100)], [state(FIRST, 60, 100)], [state(FIRST, 0, 99)]):
        pool.synchronise(told)
        try:
            while True:
                pool.reserve(20)
        except KeyPoolExhausted:
            pass
    assert (pool.snapshot(), pool.revision, pool.spent_bytes) == (before, revision, 0)


def test_running_out_is_an_error() -> None:
    pool, _ = pools()
    pool.reserve(90)
    with pytest.raises(KeyPoolExhausted, match="10 in all"):
        pool.reserve(11)
    assert pool.reserve(10).offset == 90
    with pytest.raises(KeyPoolExhausted):
        pool.reserve(1)
    with pytest.raises(InputError):
        pool.reserve(0)


def test_a_pad_lies_in_one_segment() -> None:
    pool, _ = pools()
    pool.reserve(60)
    pool.refill(NEW, bytes(50))
    assert pool.reserve(45) == reference(0, 45, NEW)
    assert pool.reserve(40) == reference(60, 40)


@pytest.mark.parametrize(
    "claimed",
    [
        reference(0, 48),
        reference(19, 5),
        reference(-1, 48),
        reference(20, 0),
        reference(20, -5),
        reference(60, 41),
        reference(100, 1),
        reference(2**62, 2**62),
        reference(20, 5, NEW),
        reference(20, 5, b""),
    ],
)
def test_claims_of_what_is_spent_or_not_there_are_refused(claimed: PadReference) -> None:
    pool, _ = pools()
    pool.claim(reference(0, 20))
    before = pool.inventory()
    with pytest.raises(InputError):
        pool.claim(claimed)
    assert pool.inventory() == before


def test_a_claim_takes_the_next_piece_and_no_other() -> None:
    pool, _ = pools()
    for offset in (30, 1, 100):
        with pytest.raises(InputError):
            pool.claim(reference(offset, 20))
    pool.claim(reference(0, 20))
    with pytest.raises(InputError):
        pool.claim(reference(0, 20))
    assert pool.available_bytes == 80


def test_refilled_segments_are_spent_first_and_do_not_pile_up() -> None:
    pool, _ = pools()
    pool.refill(NEW, bytes(50))
    piece = pool.reserve(48)
    assert piece.segment == NEW
    pool.pad(piece, 0, 48)
    for number in range(2000):
        pool.refill(number.to_bytes(16, "big") if number else b"x" * 16, bytes(48))
    assert len(pool.inventory()) <= 1024
    assert FIRST in {state.identifier for state in pool.inventory()}


def test_of_very_many_segments_the_shortest_goes_and_not_what_an_operator_supplied() -> None:
    pool, peer = pools()
    pool.refill(NEW, bytes(10_000))
    pool.synchronise(peer.inventory())  # the peer has not got it yet
    for number in range(2000):
        pool.refill((number + 1).to_bytes(16, "big"), bytes(48))
    assert max(entry.length for entry in pool.inventory()) == 10_000
    assert len(pool.inventory()) == 1024


def test_refill() -> None:
    pool, _ = pools()
    pool.refill(NEW, Bits.from_array([1, 0, 0, 0, 0, 0, 0, 1]))
    pool.reserve(100)
    assert pool.pad(pool.reserve(1), 0, 1) == b"\x81"
    pool.refill(b"m" * 16, b"abc")
    for identifier, key in ((b"m" * 16, b"x"), (FIRST, b"x"), (b"short", b"x"), (b"k" * 16, Bits.zeros(7))):
        with pytest.raises(InputError):
            pool.refill(identifier, key)


def test_spent_bytes_are_erased() -> None:
    pool, _ = pools()
    pool.claim(reference(0, 20))
    pool.pad(reference(0, 20), 4, 2)
    assert PRESHARED[32:36] not in pool.snapshot()
    pool.skip(FIRST, 30)
    stored = pool.snapshot()
    for start in range(32, 62, 4):
        assert PRESHARED[start : start + 4] not in stored
    assert PRESHARED[62:] in stored


def state(identifier: bytes, next_offset: int, length: int) -> SegmentState:
    return SegmentState(identifier=identifier, next_offset=next_offset, length=length)


def test_reconcile_takes_the_farther_offset_on_both_sides() -> None:
    first, second = pools()
    first.pad(first.reserve(10), 0, 1)
    second.skip(FIRST, 30)
    lists = first.inventory(), second.inventory()
    first.synchronise(lists[1])
    second.synchronise(lists[0])
    piece = first.reserve(20)
    second.claim(piece)
    assert piece.offset == 30
    assert first.pad(piece, 0, 20) == second.pad(piece, 0, 20) == PRESHARED[62:82]
    assert first.inventory() == second.inventory() == (state(FIRST, 50, 100),)


def test_a_segment_of_one_side_rests_and_is_not_lost() -> None:
    first, second = pools()
    first.refill(NEW, bytes(50))
    first.synchronise(second.inventory())
    first.reserve(100)
    assert first.available_bytes == 0
    with pytest.raises(KeyPoolExhausted):
        first.reserve(10)
    with pytest.raises(InputError):
        first.claim(reference(0, 10, NEW))
    second.refill(NEW, bytes(50))
    first.synchronise(second.inventory())
    assert first.reserve(10) == reference(0, 10, NEW)


def test_segments_of_unequal_length_rest() -> None:
    pool, _ = pools()
    pool.synchronise([state(FIRST, 0, 99)])
    assert pool.available_bytes == 0
    pool.synchronise([state(FIRST, 0, 100)])
    assert pool.available_bytes == 100


@pytest.mark.parametrize(
    "told", [[(FIRST, 101, 100)], [(FIRST, -1, 100)], [(FIRST, 0, 100)] * 2, [(NEW, 5, 4)], [(NEW, 0, -1)]]
)
def test_a_list_that_contradicts_itself_is_refused(told: list[tuple[bytes, int, int]]) -> None:
    pool, _ = pools()
    with pytest.raises(InputError):
        pool.synchronise([state(*entry) for entry in told])


def test_an_operator_may_skip() -> None:
    pool, _ = pools()
    pool.skip(FIRST, 60)
    assert pool.reserve(1).offset == 60
    for identifier, offset in ((FIRST, 59), (FIRST, 101), (NEW, 1)):
        with pytest.raises(InputError):
            pool.skip(identifier, offset)


def test_the_peer_can_never_bring_bytes_back() -> None:
    pool, _ = pools()
    pool.pad(pool.reserve(48), 47, 1)
    pool.synchronise([state(FIRST, 0, 100)])
    assert pool.reserve(1).offset == 48


STEPS = ["reserve", "claim", "pad", "pad", "release", "reconcile", "restore", "skip"]


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 60), st.integers(1, 30), st.integers(0, 9)), max_size=60)
)
def test_whatever_happens_no_byte_is_handed_out_twice(steps: list[tuple[str, int, int, int]]) -> None:
    """Pieces held while others come and go, connections that begin anew, and hosts that do, from what is stored."""
    pool = KeyPool(PRESHARED)
    held: list[PadReference] = []
    used: set[int] = set()
    for step, offset, count, which in steps:
        piece = held[which % len(held)] if held else reference(0, 20)
        try:
            match step:
                case "reserve":
                    held.append(pool.reserve(count))
                case "claim":
                    pool.claim(reference(offset, count))
                    held.append(reference(offset, count))
                case "pad":
                    first = piece.offset + offset % piece.length
                    assert pool.pad(piece, first - piece.offset, 1) == PRESHARED[32 + first :][:1]
                    assert first not in used
                    used.add(first)
                case "release":
                    pool.release(piece)
                case "reconcile":
                    pool.synchronise([state(FIRST, offset, 100)])
                case "restore":
                    pool = KeyPool.restore(pool.snapshot())
                case "skip":
                    pool.skip(FIRST, offset)
        except (KeyPoolExhausted, LocalProtocolError, InputError):
            continue
    assert len(used) <= pool.spent_bytes <= 100


def test_a_restored_pool_goes_on_where_the_snapshot_was() -> None:
    pool, _ = pools()
    pool.refill(NEW, bytes(range(50)))
    piece = pool.reserve(20)
    pool.pad(piece, 19, 1)
    restored = KeyPool.restore(pool.snapshot())
    assert restored.inventory() == pool.inventory()
    assert (restored.hash_key, restored.spent_bytes) == (pool.hash_key, 20)
    with pytest.raises(LocalProtocolError):
        restored.pad(piece, 0, 1)
    assert restored.pad(restored.reserve(4), 0, 4) == bytes(range(20, 24))


@pytest.mark.parametrize("snapshot", [b"", b"\x00", b"\x93\xa0"])
def test_what_is_no_snapshot_is_refused(snapshot: bytes) -> None:
    with pytest.raises(InputError):
        KeyPool.restore(snapshot)


def test_too_little_preshared_key_is_refused() -> None:
    with pytest.raises(InputError):
        KeyPool(PRESHARED[:31])
    pool = KeyPool(PRESHARED[:32])
    assert pool.available_bytes == 0


def test_representations_show_no_key() -> None:
    pool, _ = pools()
    pool.pad(pool.reserve(10), 0, 10)
    assert repr(pool) == "KeyPool(segments=1, available_bytes=90, spent_bytes=10, accumulated_epsilon=0)"


ANYTHING = [
    None,
    True,
    1.5,
    "text",
    b"bytes",
    [1],
    {},
    object(),
    float("nan"),
    10**400,
    -(2**70),
    np.int64(7),
    np.zeros(2),
]


@given(st.data())
@settings(max_examples=300)
def test_whatever_is_handed_in_is_taken_or_refused_by_name(data: st.DataObject) -> None:
    """No TypeError, AttributeError or OverflowError; and what is refused changes nothing."""
    pool = KeyPool(PRESHARED)
    anything = st.sampled_from(ANYTHING)
    number = st.one_of(anything, st.integers(-5, 200), st.sampled_from([np.uint8(3), np.array(4), np.float64(5)]))
    made = st.builds(PadReference, segment=st.one_of(anything, st.just(FIRST)), offset=number, length=number)
    told = st.builds(SegmentState, identifier=st.one_of(anything, st.just(FIRST)), next_offset=number, length=number)
    any_bytes = st.one_of(anything, st.binary(max_size=40))
    calls = {
        "KeyPool": lambda: KeyPool(data.draw(any_bytes)),
        "restore": lambda: KeyPool.restore(data.draw(any_bytes)),
        "reserve": lambda: pool.reserve(data.draw(number)),
        "claim": lambda: pool.claim(data.draw(st.one_of(anything, made))),
        "pad": lambda: pool.pad(data.draw(st.one_of(anything, made)), data.draw(number), data.draw(number)),
        "release": lambda: pool.release(data.draw(st.one_of(anything, made))),
        "refill": lambda: pool.refill(data.draw(any_bytes), data.draw(any_bytes)),
        "synchronise": lambda: pool.synchronise(data.draw(st.one_of(anything, st.lists(st.one_of(anything, told))))),
        "skip": lambda: pool.skip(data.draw(any_bytes), data.draw(number)),
        "charge_block": lambda: pool.charge_block(data.draw(number)),
        "accumulate_to": lambda: pool.accumulate_to(data.draw(number)),
    }
    call = calls[data.draw(st.sampled_from(sorted(calls)))]
    before = pool.snapshot(), pool.available_bytes
    try:
        call()
    except QkdpostError:
        assert (pool.snapshot(), pool.available_bytes) == before


def test_numbers_of_numpy_do_not_wrap_and_are_not_kept() -> None:
    pool = KeyPool(PRESHARED)
    piece = pool.reserve(np.uint8(48))  # type: ignore[arg-type]
    assert type(piece.length) is int
    peer = KeyPool(PRESHARED)
    peer.claim(PadReference(segment=FIRST, offset=np.uint8(0), length=np.uint8(48)))  # type: ignore[arg-type]
    assert peer.pad(piece, np.uint8(16), np.int8(16)) == pool.pad(piece, 16, 16)  # type: ignore[arg-type]


def test_a_number_is_no_key() -> None:
    """Else refill(name, 5) would add five zeros, which bytearray makes of a number."""
    with pytest.raises(InputError, match="key must be Bits or bytes; found a int"):
        KeyPool(PRESHARED).refill(NEW, 5)  # type: ignore[arg-type]
    wide = memoryview(bytes(range(160))).cast("I")
    assert KeyPool(wide).available_bytes == 128  # not 32 numbers of four bytes each
