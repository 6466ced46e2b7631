"""What every engine must do alike; a new one is added to `ENGINES`."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qkdpost.errors import InputError, LocalProtocolError
from qkdpost.network.store import AesGcmSealer, KeyStore, MemoryStore, SqliteStore

ENGINES: dict[str, Callable[[Path], KeyStore]] = {
    "memory": lambda folder: MemoryStore(),
    "sqlite": lambda folder: SqliteStore(folder / "store"),
    "sealed": lambda folder: SqliteStore(
        folder / "store", sealer=AesGcmSealer(bytes(32)), erased_together={"chunks": 1}
    ),
}


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, folder: Path) -> Iterator[KeyStore]:
    made = ENGINES[request.param](folder)
    yield made
    made.close()


def write(store: KeyStore, *rows: tuple[str, bytes, bytes]) -> None:
    store.begin()
    for table, key, value in rows:
        store.put(table, key, value)
    store.commit()


def read(store: KeyStore, table: str, key: bytes) -> bytes | None:
    store.begin()
    value = store.get(table, key)
    store.rollback()
    return value


def test_an_engine_is_a_key_store(store: KeyStore) -> None:
    assert isinstance(store, KeyStore)


def test_what_is_put_is_found_in_its_table_alone(store: KeyStore) -> None:
    write(store, ("marks", b"a", b"1"), ("segments", b"a", b"2"))
    assert [read(store, table, b"a") for table in ("marks", "segments", "chunks")] == [b"1", b"2", None]


def test_tables_of_like_names_are_apart(store: KeyStore) -> None:
    write(store, ("mark", b"s", b"1"), ("marks", b"", b"2"))
    store.begin()
    assert store.scan("mark", b"", b"\xff", 10) == [(b"s", b"1")]
    assert store.scan("marks", b"", b"\xff", 10) == [(b"", b"2")]
    store.rollback()


@pytest.mark.parametrize("secret", [False, True])
def test_values_of_all_sizes_come_back(store: KeyStore, secret: bool) -> None:
    values = [bytes(range(256)) * 4096, b"", b"x", bytes(1024)]
    for number, value in enumerate(values):
        store.begin()
        store.put("chunks", bytes([number]), bytearray(value), secret=secret)
        store.commit()
    assert [read(store, "chunks", bytes([number])) for number in range(4)] == values
    store.reopen()
    assert [read(store, "chunks", bytes([number])) for number in range(4)] == values


def test_the_value_is_copied(store: KeyStore) -> None:
    value = bytearray(b"key")
    store.begin()
    store.put("held", b"k", value, secret=True)
    value[:] = bytes(3)
    store.commit()
    assert read(store, "held", b"k") == b"key"


def test_a_put_takes_the_place_of_the_row(store: KeyStore) -> None:
    write(store, ("marks", b"a", b"1"))
    write(store, ("marks", b"a", b"22"), ("marks", b"a", b"333"))
    assert read(store, "marks", b"a") == b"333"


def test_taking_returns_and_erases(store: KeyStore) -> None:
    write(store, ("held", b"a", b"1"))
    store.begin()
    assert store.take("held", b"a") == b"1"
    assert store.take("held", b"a") is None
    assert store.get("held", b"a") is None
    store.commit()
    assert read(store, "held", b"a") is None


def test_rows_are_erased_together_those_that_are_there(store: KeyStore) -> None:
    write(store, *(("held", bytes([number]), b"1") for number in range(3)))
    store.begin()
    store.put("held", b"new", b"2")
    store.put("held", b"secret", b"3", secret=True)
    store.erase("held", [b"\0", b"new", b"secret", b"\2", b"never", b"\0"])
    store.erase("held", [])
    assert [key for key, _ in store.scan("held", b"", b"\xff", 9)] == [b"\1"]
    store.commit()
    store.reopen()
    assert [read(store, "held", key) for key in (b"\0", b"\1", b"secret")] == [None, b"1", None]


def test_a_scan_is_ordered_bounded_and_complete(store: KeyStore) -> None:
    keys = [bytes([first, second]) for first in (0, 1, 255) for second in (0, 7, 255)] + [b"", b"\x01", b"\xff" * 255]
    write(store, *(("chunks", key, key) for key in reversed(keys)))
    store.begin()
    assert store.scan("chunks", b"", b"\xff" * 256, 100) == [(key, key) for key in sorted(keys)]
    assert [key for key, _ in store.scan("chunks", b"\x01", b"\x01\x07", 100)] == [b"\x01", b"\x01\x00"]
    assert [key for key, _ in store.scan("chunks", b"\x01", b"\xff", 2)] == [b"\x01", b"\x01\x00"]
    assert store.scan("chunks", b"\x02", b"\x02", 5) == store.scan("chunks", b"\x03", b"\x02", 5) == []
    store.rollback()


def test_a_scan_sees_what_the_transaction_wrote_and_may_be_followed_by_writes(store: KeyStore) -> None:
    store.begin()
    for number in range(10):
        store.put("chunks", bytes([number]), b"x")
    for key, _ in store.scan("chunks", b"\x03", b"\x08", 3):
        store.take("chunks", key)
    assert [key[0] for key, _ in store.scan("chunks", b"", b"\xff", 99)] == [0, 1, 2, 6, 7, 8, 9]
    store.commit()


def test_rolling_back_undoes_everything(store: KeyStore) -> None:
    write(store, ("marks", b"a", b"1"), ("marks", b"b", b"1"))
    store.begin()
    store.put("marks", b"a", b"2")
    store.take("marks", b"b")
    store.put("marks", b"c", b"2")
    store.rollback()
    assert [read(store, "marks", key) for key in (b"a", b"b", b"c")] == [b"1", b"1", None]


def test_rolling_back_without_a_transaction_is_allowed(store: KeyStore) -> None:
    store.rollback()
    write(store, ("marks", b"a", b"1"))
    store.rollback()
    assert read(store, "marks", b"a") == b"1"


def test_reopening_keeps_what_was_committed_alone(store: KeyStore) -> None:
    write(store, ("marks", b"a", b"1"))
    store.begin()
    store.put("marks", b"a", b"2")
    store.reopen()
    assert read(store, "marks", b"a") == b"1"
    write(store, ("marks", b"a", b"3"))
    store.reopen()
    assert read(store, "marks", b"a") == b"3"


def test_a_closed_store_opens_again(store: KeyStore) -> None:
    write(store, ("marks", b"a", b"1"))
    store.close()
    store.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        store.begin()
    store.reopen()
    assert read(store, "marks", b"a") == b"1"


def test_one_transaction_at_a_time(store: KeyStore) -> None:
    store.begin()
    with pytest.raises(LocalProtocolError, match="open already"):
        store.begin()
    store.put("marks", b"a", b"1")
    store.commit()
    assert read(store, "marks", b"a") == b"1"


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.get("marks", b"a"),
        lambda store: store.put("marks", b"a", b"1"),
        lambda store: store.take("marks", b"a"),
        lambda store: store.erase("marks", [b"a"]),
        lambda store: store.scan("marks", b"", b"b", 1),
        lambda store: store.commit(),
    ],
)
def test_nothing_happens_outside_of_a_transaction(store: KeyStore, act: Callable[[KeyStore], object]) -> None:
    with pytest.raises(LocalProtocolError, match="no transaction"):
        act(store)


@pytest.mark.parametrize("table", ["", "Marks", "marks1", "a" * 32, "märks", "marks\n", b"marks", None, "a;drop"])
def test_names_of_tables_are_checked(store: KeyStore, table: Any) -> None:
    store.begin()
    with pytest.raises(InputError, match="table must be"):
        store.get(table, b"a")


@pytest.mark.parametrize("key", ["a", bytearray(b"a"), None, 1, bytes(256)])
def test_keys_are_checked(store: KeyStore, key: Any) -> None:
    store.begin()
    for act in (store.get, store.take, lambda table, key: store.put(table, key, b"1")):
        with pytest.raises(InputError, match="key must be"):
            act("marks", key)


@pytest.mark.parametrize("value", ["secret", None, 1, bytes(2**20 + 1), memoryview(b"secret"), ["secret"]])
def test_values_are_checked_and_never_shown(store: KeyStore, value: Any) -> None:
    store.begin()
    with pytest.raises(InputError, match="value must be"):
        store.put("marks", b"a", value)
    assert store.get("marks", b"a") is None


@pytest.mark.parametrize("bounds", [("", b"b", 1), (b"", None, 1), (b"", b"b", 0), (b"", b"b", 1.0), (b"", b"b", True)])
def test_scans_are_checked(store: KeyStore, bounds: tuple[Any, Any, Any]) -> None:
    store.begin()
    with pytest.raises(InputError, match="must be"):
        store.scan("marks", *bounds)


def test_a_refused_argument_leaves_the_transaction_as_it_was(store: KeyStore) -> None:
    store.begin()
    store.put("marks", b"a", b"1")
    with pytest.raises(InputError):
        store.put("marks", b"", None)  # type: ignore[arg-type]
    store.commit()
    assert read(store, "marks", b"a") == b"1"


def test_a_store_is_there_once(store: KeyStore) -> None:
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(LocalProtocolError, match="cannot be copied"):
            copied(store)
