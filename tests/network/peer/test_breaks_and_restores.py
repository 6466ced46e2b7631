"""What breaks, crashes and restored backups do to pads: each trace is one that once gave two texts to a pad."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qkdpost.errors import PeerUnavailable
from qkdpost.network.messages.fields import VoidReason
from qkdpost.network.messages.framed import VoidKeys
from qkdpost.network.peer import greeting_exchange
from qkdpost.network.pool.direction import Direction
from qkdpost.network.pool.settling import store_peer_mark
from support.key_manager_pair import SMALL, Pair, ready_pair


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def restored_after_a_lost_frame() -> Pair:
    """Backup of A, a frame that is sent and lost, A put back, both connected, another frame at the next place."""
    pair = ready_pair()
    backup = pair.a.store.snapshot()
    pair.a.assign(key_id(1))
    pair.drop("a")
    pair.lose()
    pair.a.crash(backup)
    pair.connect()
    pair.a.assign(key_id(2))
    pair.exchange()
    return pair


def test_a_restored_end_skips_what_it_may_have_sent() -> None:
    pair = restored_after_a_lost_frame()
    assert pair.a.released[key_id(2)] == pair.b.held[key_id(2)]
    assert pair.a.pool.own.mark.offset == pair.b.pool.peer.window + 32


def test_without_the_skip_the_same_pad_meets_two_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Direction, "place_after", lambda self, start, count: start)
    with pytest.raises(AssertionError, match="again"):
        restored_after_a_lost_frame()


def restored_twice() -> None:
    """As above, but the skip itself is lost with its connection before A is put back once more."""
    pair = ready_pair()
    backup = pair.a.store.snapshot()
    pair.a.crash(backup)
    for end in pair.ends:
        end.turn(end.session.connection_lost)
        end.turn(end.session.connection_made)
    pair.exchange()
    pair.a.assign(key_id(1))
    pair.drop("a")
    pair.lose()
    pair.b.crash()
    pair.a.crash(backup)
    pair.connect()
    pair.a.assign(key_id(2))
    pair.exchange()


def test_a_skip_is_stored_by_the_other_end_before_a_pad_is_taken() -> None:
    restored_twice()


def test_a_skip_that_nobody_stores_is_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(pool: Any, mark: Any, window: int) -> None:
        before = pool.peer.mark
        store_peer_mark(pool, mark, window)
        pool.write()
        pool.peer._is_written = True
        pool.store.put("marks", pool.identifier + b"\1", b"".join(n.to_bytes(4, "little") for n in (*before, window)))

    monkeypatch.setattr(greeting_exchange, "store_peer_mark", forgetful)
    with pytest.raises(AssertionError, match="again"):
        restored_twice()


def test_the_first_connection_ever_skips_nothing_and_every_process_start_a_window() -> None:
    pair = ready_pair()
    assert pair.a.pool.own.mark == (0, 0) and pair.b.pool.own.mark == (0, 0)
    window = pair.b.pool.peer.window
    assert window == pair.a.pool.capacity // 4
    for starts in (1, 2):
        pair.a.crash()
        pair.connect()
        assert pair.a.pool.own.mark == (1, starts * window)
        pair.connect()
        assert pair.a.pool.own.mark == (1, starts * window), "a connection of the same process skips nothing"


def test_the_other_end_of_a_restored_one_is_not_harmed() -> None:
    pair = ready_pair()
    backup = pair.b.store.snapshot()
    pair.a.assign(key_id(1))
    pair.exchange()
    pair.b.crash(backup)
    pair.connect()
    assert pair.b.session.restored and not pair.a.session.restored, "its answer came here"
    pair.a.assign(key_id(2))
    pair.exchange()
    assert pair.a.told[key_id(2)] == pair.b.held[key_id(2)]
    assert key_id(1) not in pair.b.held


def test_a_restore_is_seen_where_the_other_end_has_received_more() -> None:
    pair = ready_pair()
    backup = pair.a.store.snapshot()
    pair.a.assign(key_id(1))
    pair.exchange()
    pair.a.crash(backup)
    pair.connect()
    assert pair.a.session.restored and not pair.b.session.restored
    assert "restored" in [notice.kind for notice in pair.a.pool.notices]


def test_a_restored_end_gives_up_a_segment_that_it_used_and_forgot() -> None:
    pair = Pair()
    pair.add(1)
    backup = pair.b.store.snapshot()
    pair.connect()
    pair.b.assign(key_id(1))
    pair.drop("b")
    pair.b.crash(backup)
    pair.connect()
    assert not pair.a.pool.order.by_number and not pair.b.pool.order.by_number
    with pytest.raises(PeerUnavailable):
        pair.lose()
        pair.b.assign(key_id(2))


def test_a_restored_follower_takes_its_number_before_the_skip_is_counted() -> None:
    """The leader never heard that the follower took the segment, which sent from it already."""
    pair = ready_pair(length=2048 + 64, settings=replace(SMALL, floor_bytes=0, least_grant_bytes=4096))
    for number in range(19):
        pair.b.assign(key_id(number), length=32)
        pair.exchange()
    assert 80 < pair.b.pool.own.rest < 160
    identifier, content = b"second segment 2", pair.draw.randbytes(4096)
    for end in pair.ends:
        end.add(identifier, content)
    backup = pair.b.store.snapshot()
    for end, other in (pair.ends[::-1], pair.ends):
        data = pair.drop(end.name)
        other.turn(lambda other=other, data=data: other.session.receive_data(data))
    assert pair.b.pool.order[2].in_use and not pair.a.pool.order[2].in_use
    pair.b.assign(key_id(20), length=64)
    pair.b.assign(key_id(21), length=64)
    assert pair.b.pool.own.mark.segment == 2
    pair.lose()
    pair.b.crash(backup)
    pair.connect()
    assert pair.a.pool.order[2].in_use and pair.b.pool.order[2].in_use
    pair.b.assign(key_id(22), length=64)
    pair.exchange()
    assert pair.b.told[key_id(22)] == pair.a.held[key_id(22)]


# Pads while disconnected.


def test_no_frame_is_built_without_a_connection_or_before_both_are_ready() -> None:
    pair = ready_pair()
    backup = pair.a.store.snapshot()
    pair.a.assign(key_id(1))
    pair.drop("a")
    pair.lose()
    pair.a.crash(backup)
    mark = pair.a.pool.own.mark
    pair.a.turn(lambda: pair.a.session.queue(VoidKeys((key_id(1),), VoidReason.DEADLINE, 9)))
    assert pair.a.pool.own.mark == mark and not pair.a.session.data_to_send()
    pair.a.turn(pair.a.session.connection_made)
    assert pair.a.pool.own.mark == mark
    with pytest.raises(PeerUnavailable):
        pair.a.assign(key_id(2))
    pair.b.turn(pair.b.session.connection_made)
    pair.exchange()
    assert not pair.a.session.outbox.waiting and key_id(1) in pair.b.void


# What must arrive arrives.


def test_what_waits_is_framed_anew_after_each_break_and_never_repeated_byte_for_byte() -> None:
    pair = ready_pair()
    pair.a.assign(key_id(1))
    pair.exchange()
    frames = set()
    pair.a.turn(lambda: pair.a.session.queue(VoidKeys((key_id(1),), VoidReason.EXPIRED, 9)))
    for _ in range(3):
        frames.add(pair.drop("a"))
        pair.lose()
        for end in pair.ends:
            end.turn(end.session.connection_made)
        for end, other in (pair.ends, pair.ends[::-1]) * 3:
            if end.session.ready and other.session.ready:
                break
            data = end.session.data_to_send()
            other.turn(lambda other=other, data=data: other.session.receive_data(data) if data else None)
    assert b"" not in frames and len(frames) == 3
    assert key_id(1) in pair.b.held
    pair.connect()
    assert key_id(1) not in pair.b.held and not pair.a.session.outbox.waiting


def test_the_outbox_survives_a_crash_as_messages() -> None:
    pair = ready_pair()
    pair.a.assign(key_id(1))
    pair.exchange()
    pair.a.turn(lambda: pair.a.session.queue(VoidKeys((key_id(1),), VoidReason.EXPIRED, 9)))
    pair.drop("a")
    pair.a.crash()
    pair.connect()
    assert key_id(1) not in pair.b.held
    pair.a.crash()
    assert not pair.a.session.outbox.waiting
