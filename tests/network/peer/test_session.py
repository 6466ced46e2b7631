from __future__ import annotations

from support.key_manager_pair import ready_pair


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_two_ends_make_a_segment_ready_and_share_keys() -> None:
    pair = ready_pair()
    assert pair.a.session.ready and pair.b.session.ready
    assert [end.pool.order[1].stage.name for end in pair.ends] == ["READY", "READY"]
    pair.a.assign(key_id(1), key_id(2))
    pair.b.assign(key_id(3), length=32)
    pair.exchange()
    assert pair.a.released == {key_id(1): pair.b.held[key_id(1)], key_id(2): pair.b.held[key_id(2)]}
    assert pair.b.released == {key_id(3): pair.a.held[key_id(3)]}
    assert pair.a.session.room_bytes() > 0


def test_a_segment_that_comes_in_later_is_used() -> None:
    pair = ready_pair()
    before = pair.a.pool.own.rest
    pair.add(2)
    pair.exchange()
    assert pair.a.pool.own.rest - before == 4032 // 2 // 64 * 64
    for number in range(60):
        pair.a.assign(key_id(number), length=64)
        pair.exchange()
    assert pair.a.pool.own.mark.segment == 2
    assert all(pair.b.held[name] == key for name, key in pair.a.released.items())
    assert len(pair.a.released) == 60
    assert len(set(pair.a.released.values())) == 60


def test_what_is_in_flight_at_a_break_is_void_and_nothing_is_used_twice() -> None:
    pair = ready_pair()
    pair.a.assign(key_id(1))
    pair.drop("a")
    pair.connect()
    assert pair.a.void == {key_id(1)} and not pair.b.held and not pair.a.assigned
    assert not pair.a.session.outbox.in_flight and not pair.a.session.outbox.waiting
    pair.a.assign(key_id(2))
    pair.exchange()
    assert pair.a.released[key_id(2)] == pair.b.held[key_id(2)]
