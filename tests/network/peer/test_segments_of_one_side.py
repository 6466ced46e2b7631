"""Segments that only one end knows, that were damaged, refused, or full: the connection goes on without them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.network.pool import PoolSettings
from support.key_manager_pair import SMALL, End, Pair, ready_pair


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def damage(end: End, segment: bytes) -> None:
    """Change every row of a segment's content, as a disc does that rots."""
    end.store.begin()
    for key, value in end.store.scan("chunks", b"", b"\xff" * 40, 10_000):
        if key[16:32] == segment and key[32] != 255:
            end.store.put("chunks", key, bytes(byte ^ 1 for byte in value), secret=True)
    end.store.commit()
    end.pool.content.forget()


def test_a_segment_that_the_other_end_does_not_list_is_given_up() -> None:
    pair = ready_pair(segments=2)
    lost = pair.b.pool.order[2].identifier
    pair.b.turn(lambda: pair.b.pool.retire(pair.b.pool.order[2], "rotten"))
    pair.connect()
    assert list(pair.a.pool.order.by_number) == [1]
    assert ("segment-lost", lost) in [(notice.kind, notice.segment) for notice in pair.a.pool.notices]
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told


def test_a_frame_in_an_unknown_segment_breaks_the_connection_and_the_greeting_heals_it() -> None:
    pair = ready_pair(segments=2)
    pair.b.turn(lambda: pair.b.pool.retire(pair.b.pool.order[1], "rotten"))
    pair.a.assign(key_id(1))
    data = pair.drop("a")
    with pytest.raises(RemoteProtocolError, match="not in use here"):
        pair.b.turn(lambda: pair.b.session.receive_data(data))
    assert "peer-disagrees" in [notice.kind for notice in pair.b.pool.notices]
    pair.connect()
    pair.a.assign(key_id(2))
    pair.exchange()
    assert pair.a.told[key_id(2)] == pair.b.held[key_id(2)]


def test_a_damaged_segment_is_given_up_after_three_wrong_tags() -> None:
    """Every frame is a new one under new pads: rotten rows neither hold up the rest nor suspend the pool."""
    pair = ready_pair(segments=2)
    damage(pair.b, pair.b.pool.order[1].identifier)
    breaks = 0
    for number in range(8):
        try:
            pair.a.assign(key_id(number))
            pair.exchange()
        except RemoteProtocolError as error:
            assert "tag of a frame is wrong" in str(error)
            breaks += 1
            counted = [end.pool.wrong_tags for end in pair.ends]
            assert sum(counted) == breaks
            pair.lose()
            for end in pair.ends:
                end.session.outbox.waiting.clear()
            pair.connect()
    assert 3 <= breaks <= 5
    assert list(pair.a.pool.order.by_number) == list(pair.b.pool.order.by_number) == [2]
    counted = [end.pool.wrong_tags for end in pair.ends]
    for end in pair.ends:
        end.crash()
    assert [end.pool.wrong_tags for end in pair.ends] == counted, "counted durably"
    assert pair.a.told and all(pair.b.held[name] == key for name, key in pair.a.told.items())


def test_an_operator_hears_of_many_wrong_tags() -> None:
    pair = ready_pair(settings=replace(SMALL, wrong_tags_alarm=2))
    for _ in range(2):
        pair.a.assign(key_id(1))
        data = bytearray(pair.drop("a"))
        data[-1] ^= 1
        with pytest.raises(RemoteProtocolError):
            pair.b.turn(lambda data=data: pair.b.session.receive_data(data))
        pair.connect()
    kinds = [notice.kind for notice in pair.b.pool.notices]
    assert kinds.count("wrong-tag") == 2 and kinds.count("many-wrong-tags") == 1


def test_the_same_key_is_never_taken_twice_not_even_when_it_is_spent() -> None:
    pair = Pair(replace(SMALL, floor_bytes=0))
    content = pair.add(1, 264)
    assert not pair.a.add(bytes([1] * 16), content)
    pair.add(2, 1088)
    pair.connect()
    for number in range(12):
        pair.a.assign(key_id(number))
        pair.b.assign(key_id(100 + number))
        pair.exchange()
    assert list(pair.a.pool.order.by_number) == [2]
    pair.a.crash()
    assert not pair.a.add(bytes([1] * 16), content)
    assert not pair.a.store.snapshot()["chunks"].keys() & {pair.a.pool.identifier + bytes([1] * 16) + b"\xff"}


def test_what_is_spent_is_erased_row_by_row() -> None:
    pair = ready_pair(2112)
    before = sum(key[32] != 255 for key in pair.a.store.snapshot()["chunks"])
    assert before == 32
    for number in range(16):
        pair.a.assign(key_id(number), length=32)
        pair.exchange()
    for end in pair.ends:
        rows = end.store.snapshot()["chunks"]
        assert sum(key[32] == 0 for key in rows) == 16 - 16 * 48 // 64
        assert not any(key in value for value in rows.values() for key in list(pair.a.told.values())[:12])


def test_a_full_pool_takes_no_more_and_says_so_before() -> None:
    pair = Pair(replace(SMALL, quota_bytes=10_000))
    pair.add(1, 4096)
    assert not pair.a.pool.notices
    pair.add(2, 4096)
    assert [notice.kind for notice in pair.a.pool.notices] == ["pool-filling"]
    pair.add(3, 4096)
    assert [notice.kind for notice in pair.a.pool.notices][-1] == "pool-full"
    assert len(pair.a.pool.order.by_identifier) == 2


def test_content_is_zeroed_and_short_ones_are_refused() -> None:
    end = Pair().a
    content = bytearray(b"secret" * 100)
    end.turn(lambda: end.pool.add_segment(bytes(16), content, provenance=b"", source="link"))
    assert not any(content)
    for wrong in (b"x" * 400, bytearray(191)):
        with pytest.raises(InputError, match="bytes") as caught:
            end.turn(
                lambda wrong=wrong: end.pool.add_segment(bytes(16), wrong, provenance=b"", source="link")  # type: ignore[arg-type]
            )
        assert "xx" not in str(caught.value)


def test_a_segment_may_come_in_anywhere_in_any_order() -> None:
    pair = ready_pair()
    contents = [pair.draw.randbytes(1000) for _ in range(6)]
    for number in (0, 1, 2, 3, 4, 5):
        pair.b.add(bytes([50 + number] * 16), contents[number])
        pair.exchange()
    for number in (3, 1, 5, 0):
        pair.a.add(bytes([50 + number] * 16), contents[number])
        pair.exchange()
    pair.connect()
    for number in (2, 4):
        pair.a.add(bytes([50 + number] * 16), contents[number])
        pair.exchange()
    names = [segment.identifier[0] for _, segment in sorted(pair.b.pool.order.by_number.items())]
    assert names == [1, 53, 51, 55, 50, 52, 54]
    assert all(segment.in_use for end in pair.ends for segment in end.pool.order.by_number.values())


# Pools that transfers fill.


def fill(pair: Pair, number: int, length: int = 1024) -> None:
    identifier, content = number.to_bytes(16, "big"), pair.draw.randbytes(length)
    pair.b.add(identifier, content, vouched=True)
    pair.a.add(identifier, content, vouched=True)


def transferred_pair(segments: int = 8) -> Pair:
    pair = Pair(PoolSettings(floor_bytes=128, least_answer_bytes=64, chunk_bytes=64, window_bytes=4096))
    for number in range(segments):
        fill(pair, number)
    pair.connect()
    return pair


def test_a_key_of_4096_bits_straddles_segments_of_one_kilobyte() -> None:
    pair = transferred_pair()
    pair.a.assign(key_id(1), length=512)
    pair.exchange()
    assert pair.a.told[key_id(1)] == pair.b.held[key_id(1)] and len(pair.a.told[key_id(1)]) == 512
    assert pair.a.pool.own.mark.segment == 2
    for number in range(2, 30):
        end = pair.ends[number % 2]
        if end.session.room_bytes() >= 64:
            end.assign(key_id(number), length=64)
            pair.exchange()
            assert key_id(number) in end.told


def test_the_first_transferred_segment_gives_the_hash_keys_of_all() -> None:
    pair = transferred_pair()
    assert [segment.renews for _, segment in sorted(pair.a.pool.order.by_number.items())] == [True] + [False] * 7
    assert pair.a.pool.own.next_ranges(16)[0][:2] == (1, 32)
    assert pair.b.pool.own.next_ranges(16)[0][:2] == (1, 0)
    for end in pair.ends:
        assert end.booked.spent["checks"] == 8 * 32
        end.crash()
    pair.connect()
    pair.b.assign(key_id(1))
    pair.exchange()
    assert pair.b.told
    owners = {end.pool.hash_key_owner(number) for end in pair.ends for number in end.pool.order.by_number}
    assert owners == {bytes(16)}


def test_another_segment_gives_the_hash_keys_if_the_first_is_lost() -> None:
    pair = Pair()
    pair.a.add(bytes(16), pair.draw.randbytes(1024), vouched=True)
    fill(pair, 1)
    fill(pair, 2)
    pair.connect()
    for _ in range(2):
        pair.connect()
    for end in pair.ends:
        assert [(number, end.pool.order[number].renews) for number in end.pool.order.by_number] == [
            (2, True),
            (3, False),
        ]
        assert all(segment.in_use for segment in end.pool.order.by_number.values())
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told


@pytest.mark.parametrize("who", [0, 1])
def test_an_end_that_was_put_back_before_it_had_the_hash_keys_gets_new_ones(who: int) -> None:
    pair = Pair()
    backup = pair.ends[who].store.snapshot()
    fill(pair, 1)
    pair.connect()
    pair.ends[who].crash(backup)
    pair.connect()
    for number in range(2, 6):
        fill(pair, number)
    for _ in range(2):
        pair.connect()
    assert pair.a.pool.hash_keys_name == pair.b.pool.hash_keys_name == (2).to_bytes(16, "big")
    pair.a.assign(key_id(1))
    pair.exchange()
    assert pair.a.told


def test_new_hash_keys_replace_old_ones_with_all_that_hung_on_them() -> None:
    pair = transferred_pair()
    pair.a.turn(pair.a.pool.renew_hash_keys)
    pair.a.crash()
    pair.connect()
    fill(pair, 20)
    for _ in range(2):
        try:
            pair.exchange()
        except RemoteProtocolError:
            pair.connect()
    for end in pair.ends:
        assert list(end.pool.order.by_number) == [9]
        assert end.pool.order[9].renews
        assert end.pool.hash_key_owner(9) == (20).to_bytes(16, "big")
        assert end.pool.identifier + bytes(16) + b"\xff" not in end.store.snapshot()["chunks"]
    for number in range(21, 27):
        fill(pair, number)
    pair.exchange()
    pair.b.assign(key_id(1), length=64)
    pair.exchange()
    assert pair.b.told[key_id(1)] == pair.a.held[key_id(1)]


def test_a_transferred_segment_whose_source_forgot_it_is_discarded() -> None:
    pair = Pair()
    pair.b.add(bytes(16), pair.draw.randbytes(1024), vouched=True)
    pair.connect()
    assert bytes(16) in pair.b.pool.order.by_identifier, "the source did not say what it knows"
    pair.lose()
    pair.a.session._pending = lambda: [bytes(16)]
    pair.connect()
    assert bytes(16) in pair.b.pool.order.by_identifier
    pair.a.session._pending = lambda: []
    pair.connect()
    assert bytes(16) not in pair.b.pool.order.by_identifier
    assert pair.b.turn(lambda: pair.b.pool.discard_segment(bytes(16))) is False
