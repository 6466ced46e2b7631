"""No key in a representation, a log, an error or, once it is delivered or void, in the rows of a store."""

from __future__ import annotations

import contextlib
import gc
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qkdpost.errors import KeyNotFound, QkdpostError, StoreUnavailable
from qkdpost.network.events import KeysReleased, StoreFailed
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.store.memory import MemoryStore
from qkdpost.network.store.sqlite import SqliteStore
from support.network import Network, topology

RING = [("a", "b"), ("a", "c"), ("b", "c")]


def marked() -> Network:
    # Chunks as small as keys, so that a row is taken out soon after the key in it was.
    network = Network(topology("abc", RING), pools=PoolSettings(chunk_bytes=32))
    network.stock_links(12_000)
    network.run()
    return network


def written(key: bytes) -> tuple[str, ...]:
    return key.hex(), repr(key)[2:-1], str(list(key))[1:-1]


def texts_of_everything() -> Iterator[str]:
    for thing in gc.get_objects():
        if str(type(thing).__module__).startswith("qkdpost.network") and not isinstance(thing, type):
            yield repr(thing)


@pytest.mark.parametrize("ends_by", ["fetched", "expired", "refused"])
def test_a_key_is_in_no_text_and_afterwards_in_no_row(ends_by: str, caplog: Any, capsys: Any) -> None:
    caplog.set_level(logging.DEBUG)
    network = marked()
    shown: list[str] = []
    ids, keys = network.keys_between("SAE-B", "SAE-C", number=4, size_bits=512)
    for wrong in (lambda: network.fetch("SAE-B2", ids), lambda: network.fetch("SAE-B", [ids[0], ids[0]])):
        try:
            wrong()
        except QkdpostError as error:
            shown += traceback.format_exception(error)
    shown += list(texts_of_everything())
    if ends_by == "fetched":
        for slave in ("SAE-B", "SAE-C"):
            assert network.fetch(slave, ids) == keys
    elif ends_by == "expired":
        network.wait(100_000)
    else:
        network.ask("SAE-B", "SAE-C", number=2)
        network.restart("a")
        network.run()
        network.wait(100_000)
    with contextlib.suppress(KeyNotFound):
        network.fetch("SAE-B", ids)
    shown += [*caplog.messages, *capsys.readouterr(), *texts_of_everything()]
    everything = "\n".join(shown)
    # A chunk that is not passed yet is not taken out: go on until those of the keys are.
    network.keys_between("SAE-B", "SAE-C", number=8, size_bits=512)
    for key in keys:
        assert not [form for form in written(key) if form in everything]
        for name, store in network.stores.items():
            rows = [value for table in store.snapshot().values() for value in table.values()]
            assert not [row for row in rows if key[:16] in row or key[-16:] in row], name


def test_released_keys_of_a_lost_turn_are_overwritten() -> None:
    others = [thing for thing in gc.get_objects() if type(thing) is KeysReleased]  # what other tests left behind
    network = marked()
    network.ask("SAE-B")
    network.commit("a")
    network.deliver("a", "b")
    network.commit("b")
    network.deliver("b", "a")
    found = [thing for thing in gc.get_objects() if type(thing) is KeysReleased]
    (event,) = [thing for thing in found if not any(thing is other for other in others)]
    (key,) = event.keys
    assert any(key.key)
    network.stores["a"].lose_power_at(1)
    network.commit("a")
    assert key.key == bytes(32)


def files_with(folder: Path, secrets: list[bytes]) -> set[str]:
    return {
        path.name
        for path in folder.rglob("*")
        if path.is_file()
        for content in [path.read_bytes()]
        if any(secret[:16] in content or secret[-16:] in content for secret in secrets)
    }


def test_after_a_checkpoint_erased_keys_are_in_no_file(tmp_path: Path) -> None:
    stores = {name: SqliteStore(tmp_path / name) for name in "ab"}
    network = Network(topology("ab", [("a", "b")]), stores=stores, pools=PoolSettings(chunk_bytes=32))
    network.stock_links(12_000)
    network.run()
    ids, keys = network.keys_between("SAE-B", number=4, size_bits=512)
    assert network.fetch("SAE-B", ids) == keys
    network.keys_between("SAE-B", number=1)  # passes what of their chunks is not passed yet
    network.run()
    assert files_with(tmp_path, keys), "the logs have them still"
    turns = {name: manager.turn for name, manager in network.managers.items()}
    for manager in network.managers.values():
        manager.checkpoint()
    assert not files_with(tmp_path, keys)
    assert all(network.managers[name].outcome(turn) == "durable" for name, turn in turns.items())
    assert network.fetch("SAE-B", network.keys_between("SAE-B")[0]), "and it goes on"
    for manager in network.managers.values():
        manager.close()


class DamagedLog(MemoryStore):
    """A store whose log cannot be emptied."""

    __slots__ = ()

    def checkpoint(self) -> None:
        raise StoreUnavailable("the log was not emptied")


def test_a_checkpoint_that_fails_leaves_its_turn_durable() -> None:
    network = Network(topology("ab", [("a", "b")]), stores={"a": DamagedLog()})
    network.stock_links(12_000)
    network.run()
    manager = network.managers["a"]
    turn = manager.turn
    with pytest.raises(StoreUnavailable):
        manager.checkpoint()
    assert manager.outcome(turn) == "durable"
    assert manager.events(StoreFailed)
    assert not manager.peer("b").is_connected, "as after any failure of the store"
    network.disconnect("a", "b")
    network.run()
    ids, keys = network.keys_between("SAE-B")
    assert network.fetch("SAE-B", ids) == keys
