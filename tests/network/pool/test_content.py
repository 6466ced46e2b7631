"""The bytes of a segment are read as they were written, whatever rows they lie in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qkdpost.errors import StoreDamaged
from qkdpost.network.pool.content import Content
from qkdpost.network.pool.segment import FOLLOWER, LEADER, PooledSegment, SegmentStage
from qkdpost.network.store.memory import MemoryStore
from qkdpost.network.store.sqlite import SqliteStore

POOL, IDENTIFIER = b"p" * 16, b"s" * 16
LENGTH, SPLIT, CHUNK = 40 * 16 + 5, 20 * 16, 16


def segment() -> PooledSegment:
    return PooledSegment(
        IDENTIFIER, SegmentStage.READY, vouched=True, length=LENGTH, split=SPLIT, chunk=CHUNK, number=1
    )


def random_bytes() -> bytes:
    return np.random.default_rng(3).bytes(LENGTH)


@pytest.mark.parametrize("direction", [LEADER, FOLLOWER])
@pytest.mark.parametrize("steps", [(1,), (16,), (100,), (7, 33, 200), (LENGTH,)])
def test_a_direction_reads_the_segment_from_its_end_whatever_the_steps(direction: int, steps: tuple[int, ...]) -> None:
    store, whole = MemoryStore(), random_bytes()
    store.begin()
    content = Content(store, POOL)
    content.add(segment(), bytearray(whole))
    found = bytearray()
    for count in steps * LENGTH:
        found += content.read(segment(), direction, len(found), min(count, LENGTH - len(found)))
        content.write()
        if len(found) == LENGTH:
            break
    assert found == (whole[::-1] if direction == FOLLOWER else whole)
    assert store.scan("chunks", b"", b"\xff" * 40, 100) == []


def test_many_rows_are_read_by_one_statement_and_erased_without_a_search(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    store.begin()
    content = Content(store, POOL)
    content.add(segment(), bytearray(random_bytes()))
    store.commit()
    store.begin()
    store._open.database.rolled_back()  # it knows of no place any more
    statements: list[str] = []
    store._open.connection.set_trace_callback(statements.append)
    assert content.read(segment(), LEADER, 0, 10 * CHUNK) == random_bytes()[: 10 * CHUNK]
    content.write()
    assert sum(statement.startswith("SELECT") for statement in statements) == 1
    store.rollback()
    store.close()


@pytest.mark.parametrize("missing", [0, 2, 4])
def test_a_row_that_is_missing_among_many_is_told(missing: int) -> None:
    store = MemoryStore()
    store.begin()
    content = Content(store, POOL)
    content.add(segment(), bytearray(random_bytes()))
    store.erase("chunks", [POOL + IDENTIFIER + bytes([LEADER]) + missing.to_bytes(4, "big")])
    with pytest.raises(StoreDamaged, match="a row of key is missing"):
        content.read(segment(), LEADER, 0, 5 * CHUNK)
