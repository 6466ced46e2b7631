"""Short segments, used by one end alone: the other gives its shares of them, and no byte has two owners."""

from __future__ import annotations

import dataclasses

import pytest

from qkdpost.errors import NotEnoughKey
from support.key_manager_pair import SMALL, Pair, ready_pair

SHORT = dataclasses.replace(SMALL, least_grant_bytes=4096)
SEGMENTS, LENGTH = 24, 1024 + 64


def use_up(pair: Pair, name: str) -> int:
    """Assign keys from one end until it has too little; return how many bytes."""
    end = pair.a if name == "a" else pair.b
    number = 0
    while True:
        try:
            end.assign(name.encode() + number.to_bytes(15, "big"), length=64)
        except NotEnoughKey:
            return 64 * number
        pair.exchange()
        number += 1


@pytest.mark.parametrize("name", ["a", "b"])
def test_one_end_alone_can_use_most_of_short_segments(name: str) -> None:
    pair = ready_pair(LENGTH, SEGMENTS, SHORT)
    used = use_up(pair, name)
    without_grants = SEGMENTS * 512 // (64 + 16) * 64
    assert used > 1.15 * without_grants
    released = pair.a.released | pair.b.released
    assert len(set(released.values())) == len(released) == used // 64
    for end, other in (pair.ends, pair.ends[::-1]):
        assert all(other.held[key_id] == key for key_id, key in end.released.items())


def test_two_ends_that_use_alike_give_nothing() -> None:
    pair = ready_pair(LENGTH, SEGMENTS, SHORT)
    for number in range(40):
        for name, end in (("a", pair.a), ("b", pair.b)):
            end.assign(name.encode() + number.to_bytes(15, "big"), length=64)
        pair.exchange()
    assert all(segment.limits == [512, 512] for segment in pair.a.pool.order.by_number.values())


def test_a_grant_whose_connection_breaks_is_lost_to_both() -> None:
    pair = ready_pair(LENGTH, SEGMENTS, SHORT)
    for number in range(400):
        try:
            pair.a.assign(b"k" + number.to_bytes(15, "big"), length=64)
        except NotEnoughKey:
            break
        if number % 5 == 4:
            pair.drop("a")
            pair.drop("b")
            pair.connect()
        pair.exchange()
    for number, segment in pair.a.pool.order.by_number.items():
        other = pair.b.pool.order.by_number[number]
        assert segment.limits[0] + other.limits[1] <= segment.length


def test_a_grant_never_gives_away_the_pad_of_its_own_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ready_pair(192, segments=12, settings=dataclasses.replace(SMALL, floor_bytes=0, least_answer_bytes=16))
    pair.a.turn(lambda: pair.a.session.open_frame([64 - 16 - 8]))
    pair.exchange()
    assert pair.a.pool.own.mark == (1, 56)
    monkeypatch.setattr("qkdpost.network.peer.sending.whole_grant_worth_giving", lambda *_: (2, 64, 0))
    pair.a.turn()
    monkeypatch.undo()
    pair.exchange()
    assert pair.a.session.ready and pair.b.session.ready
    assert pair.a.pool.order[2].limits == pair.b.pool.order[2].limits == [64, 64]
