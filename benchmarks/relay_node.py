"""How many keys a second one site passes on: its processor's time, its store on the disk of this machine.

Three key managers in this process, a - v - z. What is timed is v alone: what it does with bytes that come, its commits
(SQLite, synchronous=FULL, unless --memory is given), and the bytes that it sends. A key is 256 bits of a segment.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.options import parser_of
from qkdpost import Bits
from qkdpost.network.manager import KeyManager
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.relay.policy import RelayPolicy
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store import MemoryStore, SqliteStore

KEY_BYTES = 32
TOPOLOGY = Topology.from_mapping(
    {
        "sites": {"a": {"applications": ["SAE-A"]}, "v": {}, "z": {"applications": ["SAE-Z"]}},
        "links": [
            {"between": ["a", "v"], "kind": "decoy-bb84", "length_km": 50.0},
            {"between": ["v", "z"], "kind": "decoy-bb84", "length_km": 50.0},
        ],
    }
)


class Chain:
    """The three managers, and the seconds that the middle one has worked."""

    def __init__(
        self, folder: Path | None, segment_bytes: int, link_bytes: int, window_bytes: int, chunk_bytes: int
    ) -> None:
        stores: dict[str, Any] = {"a": MemoryStore(), "v": MemoryStore(), "z": MemoryStore()}
        if folder is not None:
            stores["v"] = SqliteStore(folder / "v.sqlite")
        policy = RelayPolicy(segment_bytes=segment_bytes, idle_bits=2**34, transfers_in_flight=1024, hop_seconds=0.25)
        pools = PoolSettings(window_bytes=window_bytes, quota_bytes=2**30, chunk_bytes=chunk_bytes)
        self.managers = {
            name: KeyManager(name=name, store=store, topology=TOPOLOGY, relay=policy, pools=pools)
            for name, store in stores.items()
        }
        self.seconds = 0.0
        self.now_seconds = 1000.0
        self._stock(link_bytes)
        for name, peer in (("a", "v"), ("v", "a"), ("v", "z"), ("z", "v")):
            self.managers[name].peer(peer).connection_made()
        while self.turn():
            pass

    def _stock(self, link_bytes: int) -> None:
        generator = np.random.default_rng(1)
        for number, (first, second) in enumerate((("a", "v"), ("v", "z"))):
            content = generator.bytes(link_bytes)
            for name, peer in ((first, second), (second, first)):
                self.managers[name].add_key(
                    peer,
                    Bits.from_bytes(content, 8 * link_bytes),
                    kind="decoy-bb84",
                    identifier=bytes([number]) * 16,
                    epsilon=1e-10,
                )

    def of_the_middle(self, action: Callable[[], Any]) -> Any:
        """Do something, and count its time."""
        begun = time.perf_counter()
        try:
            return action()
        finally:
            self.seconds += time.perf_counter() - begun

    def turn(self) -> bool:
        """Commit at every site, and carry what it says to its neighbours; tell whether anything was said."""
        moved = False
        for name, peers in (("a", ("v",)), ("v", ("a", "z")), ("z", ("v",))):
            manager = self.managers[name]
            timed = self.of_the_middle if name == "v" else (lambda action: action())
            timed(manager.commit)
            for peer in peers:
                data = timed(manager.peer(peer).data_to_send)
                if data:
                    moved = True
                    receive = self.managers[peer].peer(name).receive_data
                    (self.of_the_middle if peer == "v" else (lambda action: action()))(lambda: receive(data))  # noqa: B023
        return moved

    def fill(self) -> None:
        """Let the first site begin what its policy wants, and carry it until all is silent."""
        self.now_seconds += 0.2
        for name in ("a", "z"):
            self.managers[name].advance(self.now_seconds)
        self.of_the_middle(lambda: self.managers["v"].advance(self.now_seconds))
        while self.turn():
            pass

    def carried_bytes(self) -> int:
        """Return what the last site got from the first."""
        pools = [pool for pool in self.managers["z"].account().pools if pool.peer == "a"]
        return sum(pool.stored_bits for pool in pools) // 8


def measure(
    folder: Path | None, *, segment_bytes: int, seconds: float, window_bytes: int, chunk_bytes: int
) -> tuple[float, float]:
    """Return keys a second of the middle site, and transfers a commit."""
    chain = Chain(folder, segment_bytes, 2**25, window_bytes, chunk_bytes)
    chain.fill()
    before, chain.seconds = chain.carried_bytes(), 0.0
    rounds = 0
    while chain.seconds < seconds and rounds < 10_000:
        chain.fill()
        rounds += 1
    carried = chain.carried_bytes() - before
    return carried / KEY_BYTES / chain.seconds, carried / segment_bytes / rounds


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of the middle site's work, for each row")
    parser.add_argument("--memory", action="store_true", help="a store in memory in place of SQLite")
    parser.add_argument("--segment-bytes", type=int, nargs="+", default=[1024], help="of key in one transfer")
    parser.add_argument(
        "--window-bytes",
        type=int,
        nargs="+",
        default=[16 * 1024, 64 * 1024, 256 * 1024],
        help="how much may wait for the other end",
    )
    parser.add_argument("--chunk-bytes", type=int, default=4096, help="rows of the pools' content")
    arguments = parser.parse_args()
    print("| segment, bytes | window, bytes | keys/s | transfers at once |")
    print("|---|---|---|---|")
    for segment_bytes in arguments.segment_bytes:
        for window_bytes in arguments.window_bytes:
            with tempfile.TemporaryDirectory() as folder:
                rate, batch = measure(
                    None if arguments.memory else Path(folder),
                    segment_bytes=segment_bytes,
                    seconds=arguments.seconds,
                    window_bytes=window_bytes,
                    chunk_bytes=arguments.chunk_bytes,
                )
            print(f"| {segment_bytes} | {window_bytes} | {rate:,.0f} | {batch:.1f} |", flush=True)


if __name__ == "__main__":
    main()
