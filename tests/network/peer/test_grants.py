"""Giving part of a segment to the other direction: adjacent, once, and never to both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.key_manager_pair import SMALL, End, Pair, ready_pair


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def give(end: End, new: int) -> None:
    """Have an end give away what lies above a limit of its own in the first segment."""
    end.give(1, new)


def limits(pair: Pair) -> tuple[int, int]:
    """What either end takes for its own limit."""
    return pair.a.pool.order[1].limits[0], pair.b.pool.order[1].limits[1]


def test_a_grant_moves_the_limit_on_both_sides() -> None:
    pair = ready_pair(4096 + 64)
    give(pair.b, 1024)
    assert limits(pair) == (2048, 1024)
    pair.exchange()
    assert limits(pair) == (3072, 1024)
    assert pair.b.pool.order[1].limits == pair.a.pool.order[1].limits
    assert not pair.b.pool.unconfirmed_grants
    give(pair.a, 2560)
    pair.exchange()
    assert limits(pair) == (2560, 1536)


def test_grants_that_cross_give_nothing_to_two() -> None:
    pair = ready_pair(4096 + 64)
    give(pair.a, 1536)
    give(pair.b, 1280)
    pair.exchange()
    assert limits(pair) == (1536, 1280), "what lies between is lost to both"
    pair.connect()
    assert limits(pair) == (1536, 1280)
    assert pair.a.pool.order[1].limits == pair.b.pool.order[1].limits == [1536, 1280]


def test_a_grant_that_is_lost_is_not_said_again() -> None:
    pair = ready_pair(4096 + 64)
    give(pair.a, 1536)
    pair.drop("a")
    pair.connect()
    assert limits(pair) == (1536, 2048)
    sent = len(pair.sent)
    give(pair.b, 1536)
    pair.exchange()
    assert limits(pair) == (1536, 1536), "nor may the other end give what does not touch"
    assert len(pair.sent) > sent


def test_a_grant_that_was_taken_but_not_confirmed_before_a_break_overlaps_nothing() -> None:
    pair = ready_pair(4096 + 64)
    give(pair.a, 1536)
    pair.b.turn(lambda: pair.b.session.receive_data(pair.a.session.data_to_send()))
    assert limits(pair) == (1536, 2560)
    pair.connect()
    assert limits(pair) == (1536, 2048), "lost to both"
    assert sum(pair.a.pool.order[1].limits) == 1536 + 2048


def test_a_limit_that_a_backup_brings_back_shrinks_to_what_the_other_end_knows() -> None:
    pair = ready_pair(4096 + 64)
    backup = pair.a.store.snapshot()
    give(pair.a, 1024)
    pair.exchange()
    assert limits(pair) == (1024, 3072)
    pair.a.crash(backup)
    assert limits(pair) == (2048, 3072)
    pair.connect()
    assert limits(pair) == (1024, 2048), "what both might call their own belongs to nobody"


def test_a_direction_that_runs_dry_is_given_more_before_its_segment_ends() -> None:
    pair = ready_pair(16384 + 64, settings=replace(SMALL, window_bytes=4096))
    for number in range(220):
        pair.a.assign(key_id(number), length=32)
        pair.exchange()
    assert len(pair.a.told) == 220
    assert pair.a.pool.own.mark.offset > 8192
    assert all(pair.b.held[name] == key for name, key in pair.a.told.items())
    assert sum(pair.a.pool.order[1].limits) == 16384


def test_a_direction_does_not_leave_a_segment_in_which_its_grant_is_unconfirmed() -> None:
    pair = ready_pair(1024 + 64, segments=3, settings=replace(SMALL, floor_bytes=0))
    give(pair.a, 128)
    room = pair.a.session.room_bytes()
    assert room <= 128 - 16 - 16
    pair.exchange()
    assert pair.a.session.room_bytes() > room


def test_the_bytes_of_a_grant_are_those_of_the_others_end() -> None:
    """A granted stretch is read backwards from where the giver would have read it: both ends find the same bytes."""
    pair = Pair(replace(SMALL, floor_bytes=0, window_bytes=2048, least_grant_bytes=4096))
    content = pair.add(1, 2048 + 64)
    pair.connect()
    for number in range(30):
        pair.b.assign(key_id(number), length=16)
        pair.exchange()
    give(pair.a, 768)
    pair.exchange()
    backwards = content[:2048][::-1]
    for number in range(30, 38):
        place = pair.b.pool.own.mark.offset
        pair.b.assign(key_id(number), length=16)
        pair.exchange()
        assert pair.b.told[key_id(number)] == backwards[place + 16 : place + 32]
    assert pair.b.pool.own.mark.offset > 1024


@pytest.mark.parametrize("seed", range(3))
def test_streams_against_a_dict(seed: int) -> None:
    """Every key is what a plain dict of the segments' bytes says, whatever was granted meanwhile."""
    pair = Pair(replace(SMALL, floor_bytes=0), seed=seed)
    contents = {number: pair.add(number, pair.draw.choice([264, 700, 1500, 2112])) for number in range(1, 6)}
    pair.connect()
    order = {number: contents[segment.identifier[0]] for number, segment in pair.a.pool.order.by_number.items()}
    for number in range(120):
        end = pair.draw.choice(pair.ends)
        length = pair.draw.choice([9, 16, 40])
        if end.session.room_bytes() < length:
            continue
        before = len(end.told)
        ranges = end.pool.own.next_ranges(16 + length)
        stream = b""
        for place, offset, count in ranges:
            body = order[place][:-64]
            stream += (body if end.pool.own.number == 0 else body[::-1])[offset : offset + count]
        end.assign(key_id(number), length=length)
        pair.exchange()
        assert len(end.told) == before + 1
        assert end.told[key_id(number)] == stream[16:]
    assert {end.pool.own.mark.segment for end in pair.ends} >= {3} or min(
        e.pool.own.mark.segment for e in pair.ends
    ) > 2
