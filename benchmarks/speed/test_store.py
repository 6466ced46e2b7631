"""Commits and openings of a store of keys, on the disk of the temporary folder; `--basetemp` names another.

A commit waits for the disk, so that these figures are first of all figures of it: beside each stands a plain append
with one sync, which no store can beat.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qkdpost.network.store import AesGcmSealer, NoSealer, SqliteStore

COMMITS = 200
KEYS_AT_ONCE = 128
KEYS = 10**6
KEY_BYTES = 32
CHUNK_BYTES = 1024
SEALERS: dict[str, Callable[[], Any]] = {"plain": NoSealer, "sealed": lambda: AesGcmSealer(bytes(32))}


@pytest.fixture(params=SEALERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = SqliteStore(tmp_path / "store", sealer=SEALERS[request.param]())
    yield made
    made.close()


def commit_marks(store: SqliteStore) -> None:
    for number in range(COMMITS):
        store.begin()
        store.put("marks", (number % 50).to_bytes(16, "big"), os.urandom(24))
        store.commit()


def commit_keys(store: SqliteStore, at_once: int) -> None:
    for number in range(COMMITS):
        store.begin()
        for _ in range(at_once):
            store.put("held", os.urandom(16), os.urandom(KEY_BYTES), secret=True)
        store.put("marks", (number % 50).to_bytes(16, "big"), os.urandom(24))
        store.commit()


@pytest.mark.benchmark(group="store, 200 commits")
def test_an_append_with_a_sync(benchmark: Any, tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_RDWR)
    content = bytes(4096)

    def append() -> None:
        for _ in range(COMMITS):
            os.write(descriptor, content)
            os.fdatasync(descriptor)

    benchmark.pedantic(append, rounds=5, warmup_rounds=1)
    benchmark.extra_info["commits"] = COMMITS
    os.close(descriptor)


@pytest.mark.benchmark(group="store, 200 commits")
def test_marks_alone(benchmark: Any, store: SqliteStore) -> None:
    benchmark.pedantic(commit_marks, args=(store,), rounds=5, warmup_rounds=1)
    benchmark.extra_info["commits"] = COMMITS


@pytest.mark.benchmark(group="store, 200 commits")
@pytest.mark.parametrize("at_once", [1, KEYS_AT_ONCE])
def test_keys_and_a_mark(benchmark: Any, store: SqliteStore, at_once: int) -> None:
    benchmark.pedantic(commit_keys, args=(store, at_once), rounds=5, warmup_rounds=1)
    benchmark.extra_info["keys"] = COMMITS * at_once


def fill_with_chunks(store: SqliteStore) -> None:
    for start in range(0, KEYS * KEY_BYTES // CHUNK_BYTES, 4096):
        store.begin()
        for number in range(start, min(start + 4096, KEYS * KEY_BYTES // CHUNK_BYTES)):
            key = bytes(16) + (number // 64).to_bytes(16, "big") + number.to_bytes(4, "big")
            store.put("chunks", key, os.urandom(CHUNK_BYTES), secret=True)
        store.commit()


def fill_with_held_keys(store: SqliteStore) -> None:
    for _ in range(0, KEYS, 10_000):
        store.begin()
        for _ in range(10_000):
            store.put("held", os.urandom(16), os.urandom(KEY_BYTES), secret=True)
        store.commit()


@pytest.mark.benchmark(group="store, opened with 10^6 keys")
@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("fill", [fill_with_chunks, fill_with_held_keys], ids=["in pools", "held one by one"])
def test_opening(benchmark: Any, tmp_path: Path, fill: Callable[[SqliteStore], None], clean: bool) -> None:
    store = SqliteStore(tmp_path / "store")
    fill(store)
    store.close()

    def unclean() -> tuple[tuple[()], dict[str, Any]]:
        """Leave it as a process that ends without a last commit does."""
        nonlocal store
        store.reopen()
        if clean:
            store.close()
        else:
            store._open.leave()
            store._open.close()
        return (), {}

    def opened() -> None:
        nonlocal store
        store = SqliteStore(tmp_path / "store")
        store.close()

    benchmark.pedantic(opened, setup=unclean, rounds=3)
    benchmark.extra_info["keys"] = KEYS
