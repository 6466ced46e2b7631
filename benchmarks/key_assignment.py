"""What a request for keys costs two key managers: processor time, calls, SQL statements; no sockets, TLS or HTTP.

    python -m benchmarks.key_assignment [--seconds 2] [--folder DIR] [--profile "1 x 1"]

Key managers A and B in one process and thread, each with a SQLite store that is synchronised at every commit, joined by
bytes in memory. Requests of one turn share it as those of many clients do: A assigns and commits, B holds and commits,
A hears of it, commits and releases, and the keys of a turn are fetched at B in another one. Rates are of processor time
of both together. `--folder` says where the stores lie; on tmpfs a sync costs nothing.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from qkdpost.bits import Bits
from qkdpost.network.events import KeysReleased
from qkdpost.network.manager import KeyManager
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.sqlite import SqliteStore

SITES = {"KME-A": "SAE-A", "KME-B": "SAE-B"}
TOPOLOGY = Topology.from_mapping(
    {
        "sites": {name: {"applications": [application]} for name, application in SITES.items()},
        "links": [{"between": list(SITES), "kind": "bb84", "length_km": 10.0}],
    }
)
LOADS = ((1, 1), (32, 1), (1, 100), (2, 100))
"""Requests in a turn, and keys in each."""


class Two:
    """Both key managers and what lies between them."""

    def __init__(self, folder: Path, segments: int, segment_bytes: int) -> None:
        pools = PoolSettings(quota_bytes=2**30)
        self.managers = {
            name: KeyManager(name=name, store=SqliteStore(folder / name), topology=TOPOLOGY, pools=pools)
            for name in SITES
        }
        self.a, self.b = self.managers["KME-A"], self.managers["KME-B"]
        self.to_b, self.to_a = self.a.peer("KME-B"), self.b.peer("KME-A")
        self.now_seconds = 1000.0
        generator = np.random.default_rng(1)
        for number in range(segments):
            bits = Bits.from_bytes(generator.bytes(segment_bytes), 8 * segment_bytes)
            for manager, peer in ((self.a, "KME-B"), (self.b, "KME-A")):
                manager.add_key(peer, bits, kind="bb84", identifier=number.to_bytes(16, "big"), epsilon=1e-10)
                manager.commit()
        self.to_b.connection_made()
        self.to_a.connection_made()
        for _ in range(20):
            self.exchange()
        self.a.events()
        self.b.events()

    def exchange(self) -> None:
        self.a.commit()
        if data := self.to_b.data_to_send():
            self.to_a.receive_data(data)
            self.b.commit()
        if data := self.to_a.data_to_send():
            self.to_b.receive_data(data)

    def deliver(self, requests: int, keys: int) -> list[list[str]]:
        """Have so many requests answered in one turn; return the IDs of their keys."""
        self.now_seconds += 1e-3
        for _ in range(requests):
            self.a.request_keys(master="SAE-A", slaves=("SAE-B",), number=keys, now_seconds=self.now_seconds)
        found: list[list[str]] = []
        for _ in range(50):
            self.exchange()
            for event in self.a.events(KeysReleased):
                found.append([key.key_id for key in event.keys])  # type: ignore[attr-defined]
                for key in event.keys:  # type: ignore[attr-defined]
                    key.erase()
            if len(found) == requests:
                return found
        raise RuntimeError("requests were not answered")

    def fetch(self, ids: list[list[str]]) -> None:
        """Have all keys fetched at B in one turn, those of a request together."""
        for key_ids in ids:
            for key in self.b.fetch_keys(caller="SAE-B", master="SAE-A", key_ids=key_ids, now_seconds=self.now_seconds):
                key.erase()
        self.b.commit()


@dataclass
class Cost:
    """Of one request, at both key managers together."""

    seconds: float
    statements: float
    calls: float
    sent_bytes: float


def counted(work: Callable[[], None]) -> tuple[int, int]:
    """Return how many SQL statements and how many calls some work does."""
    statements = calls = 0

    def seen(*_: object) -> None:
        nonlocal statements
        statements += 1

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    traced = [one for one in _connections if _is_open(one)]
    for connection in traced:
        connection.set_trace_callback(seen)
    sys.setprofile(profile)
    work()
    sys.setprofile(None)
    for connection in traced:
        connection.set_trace_callback(None)
    return statements, calls


_connections: list[sqlite3.Connection] = []


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.total_changes  # noqa: B018 - raises of a closed one
    except sqlite3.ProgrammingError:
        return False
    return True


def _connect(*arguments: object, **options: object) -> sqlite3.Connection:
    _connections.append(_plain_connect(*arguments, **options))  # type: ignore[arg-type]
    return _connections[-1]


_plain_connect = sqlite3.connect


def measure(folder: Path, requests: int, keys: int, seconds: float) -> tuple[Cost, Cost]:
    """Return the cost of a request, and that of fetching its keys."""
    with mock.patch("sqlite3.connect", _connect):
        two = Two(folder, segments=12, segment_bytes=2_000_000)
    for _ in range(20):
        two.fetch(two.deliver(requests, keys))
    times = {"deliver": 0.0, "fetch": 0.0}
    turns, ends = 0, time.process_time() + seconds
    while time.process_time() < ends:
        began = time.process_time()
        ids = two.deliver(requests, keys)
        between = time.process_time()
        two.fetch(ids)
        times["deliver"] += between - began
        times["fetch"] += time.process_time() - between
        turns += 1
    kept: list[list[str]] = []
    delivered = counted(lambda: kept.extend(two.deliver(requests, keys)))
    fetched = counted(lambda: two.fetch(kept))
    costs = [
        Cost(times[what] / turns / requests, counts[0] / requests, counts[1] / requests, 0.0)
        for what, counts in (("deliver", delivered), ("fetch", fetched))
    ]
    return costs[0], costs[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of processor time, for each row")
    parser.add_argument("--folder", type=Path, help="where the stores lie; default: a temporary folder")
    parser.add_argument("--profile", default="", help="a load as in the table, whose calls are listed")
    options = parser.parse_args()
    if options.profile:
        requests, keys = map(int, options.profile.split(" x "))
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            two = Two(Path(name), segments=12, segment_bytes=2_000_000)
            two.fetch(two.deliver(requests, keys))
            profiler = cProfile.Profile()
            profiler.enable()
            for _ in range(max(1, 300 // requests)):
                two.fetch(two.deliver(requests, keys))
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        return
    print("| requests x keys | requests/s | keys/s | calls | statements | fetched keys/s | calls | statements |")
    print("|---|---|---|---|---|---|---|---|")
    for requests, keys in LOADS:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            given, got = measure(Path(name), requests, keys, options.seconds)
        print(
            f"| {requests} x {keys} | {1 / given.seconds:,.0f} | {keys / given.seconds:,.0f} | {given.calls:,.0f} | "
            f"{given.statements:,.1f} | {keys / got.seconds:,.0f} | {got.calls:,.0f} | {got.statements:,.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
