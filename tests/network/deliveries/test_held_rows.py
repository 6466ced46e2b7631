"""Keys that stand in one row go one by one, and leave nothing of themselves behind."""

from __future__ import annotations

import pytest

from qkdpost.errors import KeyNotFound, StoreDamaged
from qkdpost.network.deliveries.held import HeldTable
from qkdpost.network.events import Event
from qkdpost.network.policy import DeliveryPolicy, Lifetimes, Quota
from qkdpost.network.store.memory import MemoryStore

NOW = 100.0
POLICY = DeliveryPolicy(lifetimes=Lifetimes(record_seconds=5.0), quota=Quota(held_keys=1000))


class Held:
    """Held keys on a store, built anew at will."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.begin()
        self.reported: list[Event] = []
        self.build()

    def build(self) -> None:
        self.keys = HeldTable(self.store, POLICY, self.reported.append)

    def hold(self, numbers: range, size: int = 32, slaves: tuple[str, ...] = ("SAE-B",)) -> None:
        ids, values = b"".join(map(key_id, numbers)), b"".join(value(number, size) for number in numbers)
        self.keys.hold([(ids, bytearray(values), "SAE-A", slaves)], site="A", expires_seconds=1000.0, extension=b"{}")

    def fetch(self, *numbers: int, caller: str = "SAE-B") -> list[bytes]:
        found = self.keys.fetch(caller, "SAE-A", [key_id(number) for number in numbers], NOW)
        return [bytes(key) for key, _ in found]

    def rows(self) -> list[tuple[bytes, bytes]]:
        return self.store.scan("held", b"", b"\xff" * 40, 10_000)


def key_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def value(number: int, size: int = 32) -> bytes:
    return bytes([number % 251 + 1]) * size


def test_keys_that_come_together_stand_in_one_row_and_are_given_in_any_order() -> None:
    held = Held()
    held.hold(range(100))
    assert len(held.rows()) == 1
    assert held.fetch(7) == [value(7)]
    assert held.fetch(99, 0, 50) == [value(99), value(0), value(50)]
    with pytest.raises(KeyNotFound):
        held.fetch(1, 50)
    assert held.fetch(1) == [value(1)], "nothing was given by what was refused"
    assert held.keys.waiting_keys == 95


def test_a_key_that_went_is_not_in_the_row_of_its_neighbours() -> None:
    held = Held()
    held.hold(range(10))
    held.fetch(3)
    held.keys.void("A", [key_id(4)], "revoked", 2000.0)
    rows = b"".join(content for _, content in held.rows())
    assert [number for number in range(10) if value(number) not in rows] == [3, 4]


def test_a_row_is_gone_with_its_last_key() -> None:
    held = Held()
    held.hold(range(10))
    held.fetch(*range(9))
    held.keys.expire(NOW + 6.0)
    assert len(held.rows()) == 1
    held.build()
    assert held.fetch(9) == [value(9)]
    held.keys.expire(NOW + 6.0)
    assert not held.rows()
    assert not held.keys.has(key_id(9))


def test_many_and_long_keys_stand_in_several_rows_none_of_them_too_long() -> None:
    held = Held()
    held.hold(range(128), 8192)
    assert len(held.rows()) == 128
    held.hold(range(200, 328), slaves=tuple(f"SAE-{'B' * 58}{number}" for number in range(10, 74)))
    assert max(len(content) for _, content in held.rows()) < 32_768
    held.build()
    assert held.fetch(127) == [value(127, 8192)]


def test_what_is_held_is_found_by_whoever_is_built_of_the_rows() -> None:
    held = Held()
    held.hold(range(5), slaves=("SAE-B", "SAE-B2"))
    held.hold(range(5, 8))
    held.fetch(2)
    held.keys.void("A", [key_id(number) for number in range(20, 30)], "deadline", 2000.0)
    held.build()
    assert held.keys.waiting_keys == 12
    assert all(held.keys.has(key_id(number)) for number in (*range(8), *range(20, 30)))
    assert held.fetch(2, 0, caller="SAE-B2") == [value(2), value(0)]
    held.hold(range(30, 31))
    assert held.fetch(30, 6, 0) == [value(30), value(6), value(0)]


def test_an_id_that_a_site_uses_again_meets_no_other_row() -> None:
    """Rows have names of their own: the first key of this one is forgotten, and comes again."""
    held = Held()
    held.hold(range(2))
    held.fetch(0)
    held.keys.expire(NOW + 6.0)
    held.hold(range(1), 64)
    assert held.fetch(0, 1) == [value(0, 64), value(1)]


def test_a_row_that_is_missing_is_said_to_be() -> None:
    held = Held()
    held.hold(range(2))
    for name, _ in held.rows():
        held.store.take("held", name)
    with pytest.raises(StoreDamaged):
        held.fetch(1)


def test_voids_of_unknown_ids_are_counted_once() -> None:
    held = Held()
    for _ in range(3):
        held.keys.void("A", [key_id(1), key_id(1), key_id(2)], "deadline", 200.0)
    assert held.keys._tombstones == 2
    held.keys.expire(300.0)
    assert held.keys._tombstones == 0
    assert not held.rows()
