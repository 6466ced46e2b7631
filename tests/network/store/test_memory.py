from __future__ import annotations

import pytest

from qkdpost.errors import InputError, LocalProtocolError, StoreUnavailable
from qkdpost.network.store import MemoryStore


class Died(BaseException):
    """What no manager catches."""


def a_day(store: MemoryStore, told: list[int]) -> None:
    """Move a mark three times, and take a key each time."""
    for mark in range(1, 4):
        store.begin()
        store.put("marks", b"", bytes([mark]))
        store.take("held", bytes([mark]))
        store.commit()
        told.append(mark)


def state(store: MemoryStore) -> tuple[int, list[int]]:
    store.begin()
    mark = store.get("marks", b"")
    held = [key[0] for key, _ in store.scan("held", b"", b"\xff", 9)]
    store.rollback()
    return (mark[0] if mark else 0), held


@pytest.mark.parametrize("error", [StoreUnavailable, Died])
def test_power_lost_at_any_moment_leaves_the_state_of_a_commit(error: type[BaseException]) -> None:
    marks_behind = []
    for moment in range(1, 13):
        store, told = MemoryStore(), [0]
        store.restore({"held": {bytes([number]): b"key" for number in (1, 2, 3)}})
        store.lose_power_at(moment, error)
        with pytest.raises(error, match="power"):
            a_day(store, told)
        with pytest.raises(StoreUnavailable, match="reopen"):
            store.begin()
        store.reopen()
        mark, held = state(store)
        assert held == [1, 2, 3][mark:]
        marks_behind.append(mark - told[-1])
    assert marks_behind == [0, 0, 0, 1] * 3


def test_after_the_last_moment_the_power_stays() -> None:
    store, told = MemoryStore(), [0]
    store.lose_power_at(13)
    a_day(store, told)
    assert state(store)[0] == told[-1] == 3


@pytest.mark.parametrize("moment", [0, -1, 1.0, None, True])
def test_moments_are_counted_from_one(moment: object) -> None:
    with pytest.raises(InputError):
        MemoryStore().lose_power_at(moment)  # type: ignore[arg-type]


def test_a_snapshot_is_of_what_was_committed_and_stays_as_it_was() -> None:
    store, told = MemoryStore(), [0]
    a_day(store, told)
    store.begin()
    store.put("marks", b"", b"\x09")
    snapshot = store.snapshot()
    with pytest.raises(LocalProtocolError, match="open"):
        store.restore(snapshot)
    store.commit()
    assert state(store)[0] == 9
    store.restore(snapshot)
    assert state(store)[0] == 3
    assert dict(snapshot["marks"]) == {b"": b"\x03"}


def test_no_value_is_shown() -> None:
    store = MemoryStore()
    store.restore({"held": {b"k": b"a secret"}})
    assert repr(store) == "MemoryStore(rows=1)"
