"""Answers always get through: nothing that an end must say waits for a pad that cannot come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qkdpost.errors import NotEnoughKey
from qkdpost.network.messages.fields import VoidReason
from qkdpost.network.messages.framed import VoidKeys
from support.key_manager_pair import SMALL, End, ready_pair


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def assign_while_possible(end: End, first: int, length: int = 16) -> int:
    number = first
    while True:
        try:
            end.assign(key_id(number), length=length)
        except NotEnoughKey:
            return number - first
        number += 1


def test_a_rich_direction_leaves_the_poor_one_enough_to_answer() -> None:
    pair = ready_pair(4096 + 64, settings=replace(SMALL, floor_bytes=16))
    segment = pair.b.pool.order[1]
    for end in pair.ends:
        end.turn(lambda end=end: end.pool.order[1].limits.__setitem__(1, 80))
        end.pool.own.recount()
        end.pool.peer.recount()
    assert segment.limits[1] == 80
    assigned = assign_while_possible(pair.a, 0)
    assert 0 < assigned <= 3
    pair.exchange()
    assert len(pair.a.told) == assigned
    while (more := assign_while_possible(pair.a, assigned)) > 0:
        pair.exchange()
        assigned += more
        assert len(pair.a.told) == assigned
    assert not pair.b.session.outbox.waiting
    assert pair.b.pool.own.rest >= 16


@pytest.mark.parametrize("window", [160, 256, 1024])
def test_two_full_windows_do_not_wait_for_each_other(window: int) -> None:
    pair = ready_pair(8192, settings=replace(SMALL, window_bytes=window))
    for first, end in enumerate(pair.ends):
        assert assign_while_possible(end, 1000 * first) > 0
        for key in list(end.assigned)[::2]:
            end.turn(lambda end=end, key=key: end.void_assigned(key))
    pair.exchange()
    for end in pair.ends:
        assert not end.assigned and not end.session.outbox.waiting
        assert end.session.room_bytes() > 0


def test_acknowledgements_alone_do_not_fill_the_window_for_ever() -> None:
    pair = ready_pair(65536, settings=replace(SMALL, window_bytes=256))
    for number in range(150):
        pair.a.assign(key_id(number))
        pair.exchange()
    assert len(pair.a.told) == 150
    assert pair.b.session.flight.unconfirmed_bytes <= 256


def test_answers_of_a_turn_are_collected_in_one_frame() -> None:
    pair = ready_pair(16384)
    for number in range(5):
        pair.a.assign(key_id(number))
    mark = pair.b.pool.own.mark
    pair.exchange()
    assert len(pair.a.told) == 5
    assert pair.b.pool.own.mark.offset - mark.offset == 16


def test_what_is_not_confirmed_with_a_full_window_ends_the_connection_after_two_seconds() -> None:
    pair = ready_pair(8192, settings=replace(SMALL, window_bytes=256))
    assign_while_possible(pair.a, 0, length=64)
    assign_while_possible(pair.a, 10, length=8)
    pair.a.turn(lambda: pair.a.session.queue(VoidKeys((key_id(0),), VoidReason.DEADLINE, 9)))
    assert not pair.a.session.advance(100.0)
    assert not pair.a.session.advance(101.9)
    assert pair.a.session.advance(102.0)
    pair.connect()
    assert not pair.a.session.advance(103.0)
    assert pair.a.session.room_bytes() > 0


def test_a_frame_that_was_opened_and_never_sent_goes_empty() -> None:
    pair = ready_pair()
    pair.a.turn(lambda: pair.a.session.open_frame([32, 16]))
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told[key_id(1)] == pair.b.held[key_id(1)]
    assert pair.a.booked.spent["lost"] == pair.b.booked.spent["lost"] == 8 * 48


def test_one_key_manager_at_a_time_and_turns_in_order() -> None:
    from qkdpost.errors import InputError, LocalProtocolError
    from qkdpost.network.messages.framed import AssignedKeys, AssignKeys

    pair = ready_pair()
    with pytest.raises(LocalProtocolError, match="connection_lost"):
        pair.a.turn(pair.a.session.connection_made)
    with pytest.raises(LocalProtocolError, match="prepare"):
        pair.a.session.committed()
    key = AssignKeys((AssignedKeys(key_id(1), 16, "SAE-A", ("SAE-B",)),), 60)
    with pytest.raises(InputError, match="outbox"):
        pair.a.turn(lambda: pair.a.session.queue(key))
    with pytest.raises(InputError, match="opened for"):
        pair.a.turn(lambda: pair.a.session.open_frame([32]).send([key]))

    def twice() -> None:
        opened = pair.a.session.open_frame([16])
        opened.send([key])
        opened.send([key])

    with pytest.raises(LocalProtocolError, match="closed"):
        pair.a.turn(twice)
    pair.lose()
    with pytest.raises(LocalProtocolError, match="connection_made"):
        pair.a.turn(lambda: pair.a.session.receive_data(b""))


def test_every_share_of_a_frame_rests_on_all_of_the_pad_of_its_tag() -> None:
    settings = replace(SMALL, floor_bytes=0, least_answer_bytes=16)
    pair = ready_pair(192, segments=12, settings=settings)
    pair.a.turn(lambda: pair.a.session.open_frame([64 - 16 - 8]))

    def provenances() -> tuple[tuple[bytes, ...], ...]:
        opened: tuple[tuple[bytes, ...], ...] = pair.a.session.open_frame([56, 32]).provenances
        return opened

    first, second = pair.a.turn(provenances)
    assert set(second) == {b"of " + bytes([number] * 16) for number in (1, 2, 3)}
    assert set(first) == {b"of " + bytes([number] * 16) for number in (1, 2)}
