"""A store remembers checks of rows it wrote lately, to write them again with one statement; the sum must stay right."""

from __future__ import annotations

from pathlib import Path

import pytest

from qkdpost.errors import StoreDamaged
from qkdpost.network.store import SqliteStore
from qkdpost.network.store import database as module


def put(store: SqliteStore, value: bytes, *, secret: bool = False) -> None:
    store.put("marks", b"row", value, secret=secret)


def reopened(store: SqliteStore, folder: Path) -> bytes | None:
    """Return the row after an opening, which compares all rows with their sum."""
    store.close()
    with_sum = SqliteStore(folder / "store")
    with_sum.begin()
    found = with_sum.get("marks", b"row")
    with_sum.close()
    return found


def test_a_row_that_is_written_again_costs_one_statement(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    statements: list[str] = []
    store.begin()
    store._open.connection.set_trace_callback(statements.append)
    put(store, b"first")
    put(store, b"second")
    store._open.connection.set_trace_callback(None)
    assert len(statements) == 2
    store.commit()
    assert reopened(store, folder) == b"second"


def test_what_a_rollback_took_back_is_known_no_more(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    store.begin()
    put(store, b"first")
    store.commit()
    store.begin()
    put(store, b"second")
    store.rollback()
    store.begin()
    put(store, b"third")
    store.commit()
    assert reopened(store, folder) == b"third"


def test_rows_go_and_come_and_change_their_kind(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    store.begin()
    put(store, b"plain")
    assert store.take("marks", b"row") == b"plain"
    put(store, b"again")
    put(store, b"secret", secret=True)
    assert store.get("marks", b"row") == b"secret"
    put(store, b"plain at last")
    store.commit()
    assert reopened(store, folder) == b"plain at last"


def test_more_rows_than_are_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KNOWN", 3)
    store = SqliteStore(folder / "store")
    for turn in range(3):
        store.begin()
        for number in range(10):
            store.put("marks", bytes([number]), bytes([turn]))
        put(store, bytes([turn]))
        store.commit()
    assert reopened(store, folder) == b"\2"


def test_a_row_that_went_behind_the_stores_back_is_missed(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    store.begin()
    put(store, b"first")
    store._open.connection.execute("DELETE FROM plain")
    with pytest.raises(StoreDamaged, match="missing"):
        put(store, b"second")
    store.close()
