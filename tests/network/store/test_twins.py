"""Every engine does what the obvious one does, whatever comes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from qkdpost.network.store import AesGcmSealer, KeyStore, MemoryStore, NoSealer, SqliteStore
from support.stores import TABLES, rows_of

SIZES = (0, 1, 24, 32, 100, 1024, 9000)


def steps(draw: random.Random, stores: list[KeyStore], count: int) -> None:
    """Do the same to all, and compare what they answer."""
    for _ in range(count):
        for store in stores:
            store.begin()
        for _ in range(draw.randrange(12)):
            table, key, what = draw.choice(TABLES), draw.randbytes(draw.randrange(2)), draw.random()
            value, secret = draw.randbytes(draw.choice(SIZES)), draw.random() < 0.5
            if what < 0.5:
                for store in stores:
                    store.put(table, key, value, secret=secret)
            elif what < 0.65:
                keys = [draw.randbytes(draw.randrange(2)) for _ in range(draw.randrange(6))]
                for store in stores:
                    store.erase(table, keys)
            elif what < 0.8:
                assert_equal([store.take(table, key) for store in stores])
            elif what < 0.9:
                assert_equal([store.get(table, key) for store in stores])
            else:
                limit = draw.randrange(1, 300)
                assert_equal([store.scan(table, key, b"\xc0", limit) for store in stores])
        ending = draw.choices(("commit", "rollback", "reopen"), (8, 1, 1))[0]
        for store in stores:
            getattr(store, ending)()


def assert_equal(answers: list[object]) -> None:
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", range(3))
def test_engines_are_twins(folder: Path, seed: int, count: int) -> None:
    stores: list[KeyStore] = [MemoryStore()]
    for name, sealer in (("plain", NoSealer()), ("sealed", AesGcmSealer(bytes(32)))):
        stores.append(SqliteStore(folder / name, sealer=sealer, erased_together={"chunks": 1}))
    steps(random.Random(seed), stores, count)
    assert_equal([rows_of(store) for store in stores])
    for store in stores:
        store.close()
        store.reopen()
    assert_equal([rows_of(store) for store in stores])
    for store in stores:
        store.close()
