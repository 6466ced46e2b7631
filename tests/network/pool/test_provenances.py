"""What segments rest on is read once, and forgotten with them."""

from __future__ import annotations

from qkdpost.network.pool.provenances import Provenances
from qkdpost.network.store.memory import MemoryStore


def test_what_is_kept_in_memory_is_what_stands_in_the_rows() -> None:
    store = MemoryStore()
    store.begin()
    kept = Provenances(store, bytes(16))
    names = [number.to_bytes(16, "big") for number in range(200)]
    assert kept[names[0]] == b"", "there is none yet"
    for name in names:
        kept.add(name, name[::-1])
    for name in (*names, *names[::-1]):
        assert kept[name] == Provenances(store, bytes(16))[name] == name[::-1]
    kept.forget(names[0])
    assert kept[names[0]] == Provenances(store, bytes(16))[names[0]] == b""
    assert Provenances(store, bytes([1]) * 16)[names[1]] == b"", "another pool has its own"
