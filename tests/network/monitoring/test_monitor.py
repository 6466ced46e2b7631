"""What an operator of a key manager sees: numbers that agree with its events and accounts, and lines of a log."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from qkdpost.errors import NotEnoughKey
from qkdpost.network.accounts import Account
from qkdpost.network.events import (
    DeliveredKey,
    Event,
    KeyExpired,
    KeysReleased,
    KeysVoided,
    PeerDisagrees,
    PoolFull,
    PoolLow,
    RequestRefused,
    SegmentLost,
    SegmentReady,
    StoreFailed,
    StoreRestored,
    Ticket,
    TransferFailed,
)
from qkdpost.network.monitoring.monitor import Monitor
from qkdpost.network.provenance import Provenance
from support.network import Network, topology

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "monitoring.md").read_text(encoding="utf-8")
SECRET = bytes(range(100, 164))
TICKET = Ticket(number=1, master="SAE-A", slaves=("SAE-B",), keys=1, size_bits=512)


def events() -> dict[str, tuple[Event, int]]:
    """Return an event of each class, under the number that it adds to, and how much it adds."""
    key = DeliveredKey(key_id="00000000-0000-4000-8000-000000000000", key=bytearray(SECRET))
    return {
        "key_requests_released_total": (KeysReleased(ticket=TICKET, keys=(key,)), 1),
        "key_requests_refused_total": (RequestRefused(ticket=TICKET, error=NotEnoughKey("none")), 1),
        "pool_low_total": (PoolLow(peer="b", deliverable_bits=7), 1),
        "pool_full_total": (PoolFull(peer="b", stored_bits=70), 1),
        "segments_ready_total": (
            SegmentReady(peer="b", segment=bytes(16), length_bits=7, provenance=Provenance()),
            1,
        ),
        "segments_lost_total": (SegmentLost(peer="b", segment=bytes(16), detail="given up"), 1),
        "transfers_failed_total": (TransferFailed(transfer=bytes(16), peer="b", reason="no route"), 1),
        "keys_expired_total": (KeyExpired(master="SAE-A", slave="SAE-B", key_ids=("x", "y")), 2),
        "keys_voided_total": (KeysVoided(peer="b", key_ids=("x", "y", "z"), reason="revoked"), 3),
        "peer_disagreements_total": (PeerDisagrees(peer="b", detail="another frame"), 1),
        "stores_restored_total": (StoreRestored(peer="b", detail="more"), 1),
        "store_failures_total": (StoreFailed(detail="disk full", recovered="reopened"), 1),
    }


@pytest.mark.parametrize("name", events())
def test_each_event_is_counted_and_logged_without_what_is_secret(name: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, logger="qkdpost.network")
    monitor = Monitor("a")
    event, count = events()[name]
    monitor.note([event])
    told = monitor.metrics(Account(name="a", pools=()), 0)
    assert told[name] == count
    (record,) = caplog.records
    assert record.name == "qkdpost.network"
    assert record.getMessage().startswith("a: ")
    whole = record.getMessage() + repr(vars(record))
    assert SECRET.hex() not in whole and repr(SECRET)[2:20] not in whole


def test_every_class_of_event_is_known() -> None:
    assert {type(event) for event, _ in events().values()} == set(get_args(Event))


def test_numbers_agree_with_what_was_delivered_and_with_the_accounts() -> None:
    network = Network(topology("ab", [("a", "b")]))
    network.stock_links(12_000)
    network.run()
    manager = network.managers["a"]
    before = manager.metrics()
    network.keys_between("SAE-B", number=3, size_bits=256)
    after = manager.metrics()
    assert after["keys_released_total"] == 3
    assert after["key_bits_released_total"] == 3 * 256
    assert after["key_requests_released_total"] == 1
    assert after["turns_total"] > before["turns_total"]
    account = manager.account().pool("b")
    assert after['pool_stored_bits{peer="b"}'] == account.stored_bits
    assert after['received_link_bits_total{peer="b"}'] == account.received["link"]
    assert after['spent_delivery_bits_total{peer="b"}'] == account.spent["delivery"] >= 3 * 256
    assert all(after[name] >= before[name] for name in before if "_total" in name)


def test_the_page_tells_every_name() -> None:
    section = PAGE.split("## Numbers of a key manager")[1].split("## Prometheus")[0]
    told = re.findall(r"^\| `([A-Za-z_{}]+)` \|", section, flags=re.MULTILINE)
    patterns = [
        re.compile(re.sub(r"SOURCE|USE", "[a-z]+", re.sub(r"\{.*\}", r'\\{peer="[^"]+"\\}', name))) for name in told
    ]
    network = Network(topology("ab", [("a", "b")]))
    network.stock_links(12_000)
    network.run()
    names = set(network.managers["a"].metrics())
    assert {name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)} == set()
