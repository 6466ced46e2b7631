"""Numbers for monitoring: what they count, that they only grow, and that the page tells each."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import qkdpost as qp
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.events import BlockAborted, KeyReady
from support.link import Pair, bb84_records, small_link

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
LINK = small_link(security={"epsilon": 1e-6})


def run_blocks(pair: Pair, *detections: int) -> None:
    for seed, count in enumerate(detections):
        pair.submit(*bb84_records(count, qber=0.004, seed=seed))
        for session in pair.sessions.values():
            session.flush()
        pair.run()


def reports(pair: Pair, role: str) -> list[BlockReport]:
    return [event.report for event in pair.events[role] if isinstance(event, KeyReady | BlockAborted)]


def test_all_names_are_there_from_the_start_at_zero() -> None:
    pair = Pair(LINK)
    before = pair.sessions["alice"].metrics()
    run_blocks(pair, 4000)
    after = pair.sessions["alice"].metrics()
    assert before.keys() == after.keys()
    assert all(number == 0 for name, number in before.items() if name.endswith("_total"))
    assert math.isnan(before["last_block_qber_ratio"])
    assert all(isinstance(number, int | float) and not isinstance(number, bool) for number in after.values())


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_they_are_what_reports_say(role: str) -> None:
    pair = Pair(LINK)
    run_blocks(pair, 4000, 200, 5000)
    told, ended = pair.sessions[role].metrics(), reports(pair, role)
    assert len(ended) == 3
    keys = pair.keys(role)
    assert told["keys_total"] == len(keys) == 2
    assert told["key_bits_total"] == sum(report.key_length_bits for report in ended)
    assert told["blocks_aborted_total"] == 1
    aborted = {name: number for name, number in told.items() if name.startswith("blocks_aborted_") and number}
    assert len(aborted) == 2 and set(aborted.values()) == {1}
    assert told["sifted_key_bits_total"] == sum(report.sifted_key_bits for report in ended)
    assert told["sifted_test_bits_total"] == sum(report.sifted_test_bits for report in ended)
    assert told["authentication_bits_total"] == sum(report.authentication_bits for report in ended)
    causes = {name: number for name, number in told.items() if name.startswith("disclosed_bits_")}
    total = causes.pop("disclosed_bits_total")
    assert total == sum(causes.values()) == sum(sum(report.ledger.to_dict().values()) for report in ended)
    assert told["last_block_qber_ratio"] == ended[-1].qber_key
    assert told["last_block_key_bits"] == ended[-1].key_length_bits > 0
    assert told["records_total"] == 3
    assert told["sent_bytes_total"] == sum(map(len, pair.sent[role]))
    other = "bob" if role == "alice" else "alice"
    assert told["received_bytes_total"] == sum(map(len, pair.sent[other]))
    assert told["key_pool_available_bytes"] == pair.pools[role].available_bytes
    assert told["connections_total"] == told["connection_open"] == 1


def test_connections_and_what_waits() -> None:
    pair = Pair(LINK)
    pair.run()
    for _ in range(3):
        pair.reconnect()
        pair.run()
    pair.sessions["bob"].submit(bb84_records(100)[1])
    told = pair.sessions["bob"].metrics()
    assert told["connections_total"] == 4
    assert told["connections_lost_total"] == told["connections_lost_peer_closed_total"] == 3
    assert told["records_waiting"] == 1
    assert told["blocks_in_flight"] == 0


def test_totals_only_grow() -> None:
    pair = Pair(LINK)
    before = pair.sessions["bob"].metrics()

    def watch(_: str, __: int, frame: bytes) -> list[bytes]:
        nonlocal before
        now = pair.sessions["bob"].metrics()
        assert all(now[name] >= before[name] for name in now if name.endswith("_total"))
        before = now
        return [frame]

    pair.submit(*bb84_records(4000, qber=0.004))
    pair.finish()
    pair.run(watch)
    assert before["keys_total"] <= pair.sessions["bob"].metrics()["keys_total"] == 1


def test_the_page_tells_every_name() -> None:
    section = PAGE.split("## Numbers of a session")[1].split("## Numbers of a key manager")[0]
    told = re.findall(r"^\| `([A-Za-z_]+)` \|", section, flags=re.MULTILINE)
    patterns = [re.compile(re.sub(r"REASON|CAUSE", "[a-z_]+", name)) for name in told]
    names = set(Pair(LINK).sessions["alice"].metrics())
    assert {name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)} == set()
    assert [name for name in told if not any(re.compile(name).fullmatch(one) for one in names)] == [
        "blocks_aborted_REASON_total",
        "disclosed_bits_CAUSE_total",
        "connections_lost_REASON_total",
    ]


def test_none_of_it_is_secret_or_a_setting() -> None:
    assert not [name for name in Pair(LINK).sessions["alice"].metrics() if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
    assert qp.Session.metrics.__doc__
