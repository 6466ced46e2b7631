"""A key manager keeps a transaction open; what a store does between two is done between two turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from qkdpost.errors import InputError, LocalProtocolError, StoreUnavailable
from qkdpost.network.events import StoreFailed
from qkdpost.network.store import SqliteStore
from support.network import Network, line


def stored(folder: Path) -> tuple[Network, SqliteStore]:
    store = SqliteStore(folder / "a")
    network = Network(line("a", "b"), stores={"a": store})
    network.stock_links(4000)
    network.run()
    return network, store


def test_a_checkpoint_empties_the_log_and_the_manager_goes_on(tmp_path: Path) -> None:
    network, store = stored(tmp_path)
    manager = network.managers["a"]
    with pytest.raises(LocalProtocolError):
        store.checkpoint()  # a turn is open
    network.keys_between("SAE-B", number=3)
    assert store.log_bytes > 0
    turn = manager.turn
    manager.maintain(store.checkpoint)
    assert store.log_bytes == 0
    assert manager.outcome(turn) == "durable"
    network.keys_between("SAE-B", number=3)
    assert network.balances()
    manager.close()


def test_a_backup_is_made_while_the_manager_lives_and_opens_as_one(tmp_path: Path) -> None:
    network, store = stored(tmp_path)
    manager = network.managers["a"]
    assert manager.maintain(lambda: store.backup(tmp_path / "backup")) is None
    account = manager.account()
    with pytest.raises(InputError, match="must be new"):
        manager.maintain(lambda: store.backup(tmp_path / "backup"))
    network.keys_between("SAE-B")
    network.disconnect("a", "b")
    manager.close()
    network.stores["a"] = SqliteStore(tmp_path / "backup", restored=True)
    restored = network.start("a")
    assert restored.account() == account
    network.run()
    network.keys_between("SAE-B")
    restored.close()


def test_work_that_the_store_fails_at_loses_no_durable_turn(tmp_path: Path) -> None:
    network, _ = stored(tmp_path)
    manager, turn = network.managers["a"], network.managers["a"].turn
    before = manager.account()

    def fail() -> None:
        raise StoreUnavailable("cannot empty the log")

    with pytest.raises(StoreUnavailable, match="empty"):
        manager.maintain(fail)
    assert manager.outcome(turn) == "durable"
    assert manager.events(StoreFailed)
    assert manager.account() == before
    manager.close()
