"""Two key managers over TLS, and how fast applications get keys from them: requests a second, and the time of each.

    python -m benchmarks.key_delivery [--seconds 3] [--only "enc_keys, one client"] [--folder DIR]

Key managers A and B run in one process, each with a SQLite store that is synchronised at every commit, joined by TLS
1.3 over loopback. Clients are plain sockets with TLS kept alive, in a process of their own: they send the next request
when they have the answer. Every key crosses to B and is confirmed by it before A's client sees it. What the folder lies
on decides how long a commit takes. The last figure is how many thousands a second of processor time of both key
managers together: on a busy machine it is the one that means something.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np
from tests.support.certificates import Certificates

import qkdpost as qp
from qkdpost.network import Etsi014
from qkdpost.network.manager import KeyManager
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.sqlite import SqliteStore
from qkdpost.transport.network import KeyManagerHost, connect_peer, serve_etsi014, serve_peers

BARS = {"status": (4000, 6000), "enc_keys, one client": (1000, 2000), "enc_keys, 32 clients": (3000, 6000)}
BARS |= {"enc_keys by 100, keys": (30_000, 60_000)}
SITES = {"KME-A": "SAE-A", "KME-B": "SAE-B"}
SEGMENT_BYTES = 2_000_000
TOPOLOGY = Topology.from_mapping(
    {
        "sites": {name: {"applications": [application]} for name, application in SITES.items()},
        "links": [{"between": list(SITES), "kind": "bb84", "length_km": 10.0}],
    }
)


class _Key(msgspec.Struct):
    key_ID: str


class _Container(msgspec.Struct):
    keys: list[_Key] = []


_containers = msgspec.json.Decoder(_Container)


# The key managers.


async def run_key_managers(folder: Path, segments: int, pipe: Connection) -> None:
    """Serve both, tell the ports, and end when told to."""
    certificates = Certificates(folder)
    managers = {name: manager_of(name, folder) for name in SITES}
    rng = np.random.default_rng()
    for number in range(segments):
        bits = qp.Bits.from_bytes(rng.bytes(SEGMENT_BYTES), 8 * SEGMENT_BYTES)
        key = qp.SecretKey(
            bits=bits, identifier=number.to_bytes(16, "big"), epsilon=1e-10, accumulated_epsilon=number * 1e-10
        )
        for name, peer in (("KME-A", "KME-B"), ("KME-B", "KME-A")):
            managers[name].add_key(peer, key, kind="bb84")
            managers[name].commit()
    async with KeyManagerHost(managers["KME-A"]) as a, KeyManagerHost(managers["KME-B"]) as b:
        ports = {}
        for name, host in (("KME-A", a), ("KME-B", b)):
            service = Etsi014(managers[name])
            credentials = certificates.to_applications(name)
            server = await serve_etsi014(host, service, "127.0.0.1", 0, credentials=credentials)
            ports[name] = server.port
        peers = await serve_peers(b, "127.0.0.1", 0, credentials=certificates.to_peers("KME-B"))
        dialler = await connect_peer(a, "KME-B", "127.0.0.1", peers.port, credentials=certificates.to_peers("KME-A"))
        await dialler.connected()
        while not await a.call(lambda: managers["KME-A"].stock(master="SAE-A", slave="SAE-B").deliverable_bits):
            await asyncio.sleep(0.05)
        for application in SITES.values():
            certificates.application(application)
        pipe.send(ports)
        while await asyncio.to_thread(pipe.recv):
            pipe.send(time.process_time())


def manager_of(name: str, folder: Path) -> KeyManager:
    return KeyManager(name=name, store=SqliteStore(folder / name), topology=TOPOLOGY)


def serve(folder: Path, segments: int, pipe: Connection) -> None:
    asyncio.run(run_key_managers(folder, segments, pipe))


# The clients.


class Client:
    """One connection that is kept."""

    def __init__(self, folder: Path, caller: str, port: int) -> None:
        context = ssl.create_default_context(cafile=folder / "key-managers.pem")
        context.load_cert_chain(folder / f"{caller}.pem", folder / f"{caller}.key")
        plain = socket.create_connection(("127.0.0.1", port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        head = f"{method} /api/v1/keys/{target} HTTP/1.1\r\nHost: kme\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        data = self.socket.recv(65_536)
        end = data.find(b"\r\n\r\n") + 4
        length = int(data[:end].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(data) < end + length:
            data += self.socket.recv(65_536)
        if b" 200 " not in data[:20]:
            raise RuntimeError(data.decode())
        return data[end:]


@dataclass
class Found:
    what: str
    rate: float
    median_ms: float
    worst_ms: float
    server_ms: float = 0.0

    def __str__(self) -> str:
        bar, goal = BARS.get(self.what, (0, 0))
        wanted = f"   bar {bar}, goal {goal}" if bar else ""
        times = f"median {self.median_ms:6.2f} ms, 99 % {self.worst_ms:6.2f} ms"
        return f"{self.what:26} {self.rate:7.0f} /s  {times}   {1 / self.server_ms:7.2f} k/s of processor{wanted}"


def timed(what: str, seconds: float, actions: list[Callable[[], int]], server_seconds: Callable[[], float]) -> Found:
    """Repeat each action in a thread of its own; an action returns how much it was worth.

    `server_seconds` tells the processor time of both key managers together.
    """
    times: list[float] = []
    counts: list[int] = []

    def repeat(action: Callable[[], int]) -> None:
        while time.perf_counter() < ends:
            began = time.perf_counter()
            counts.append(action())
            times.append(time.perf_counter() - began)

    for action in actions:
        action()
    used, began = server_seconds(), time.perf_counter()
    ends = began + seconds
    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    each = 1e3 * (server_seconds() - used) / max(1, sum(counts))
    worst = sorted(times)[int(0.99 * len(times))]
    return Found(what, sum(counts) / taken, 1e3 * statistics.median(times), 1e3 * worst, each)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--segments", type=int, default=12, help=f"keys of the link, of {SEGMENT_BYTES} bytes each")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        ours, theirs = multiprocessing.Pipe()
        arguments = (folder, options.segments, theirs)
        process = multiprocessing.get_context("spawn").Process(target=serve, args=arguments)
        process.start()
        try:
            measure(folder, ours, options)
        finally:
            ours.send(None)
            process.join()


def measure(folder: Path, pipe: Connection, options: argparse.Namespace) -> None:
    ports = pipe.recv()

    def server_seconds() -> float:
        pipe.send(True)
        return float(pipe.recv())

    def client(caller: str = "SAE-A", at: str = "KME-A") -> Client:
        return Client(folder, caller, ports[at])

    def asking(client: Client, method: str, target: str, body: bytes = b"", worth: int = 1) -> Callable[[], int]:
        return lambda: (client.ask(method, target, body), worth)[1]

    waiting: list[list[str]] = []

    def by_hundred(client: Client) -> Callable[[], int]:
        def ask() -> int:
            keys = _containers.decode(client.ask("POST", "SAE-B/enc_keys", b'{"number":100}')).keys
            waiting.append([key.key_ID for key in keys])
            return len(keys)

        return ask

    def fetching(client: Client) -> Callable[[], int]:
        def fetch() -> int:
            if not waiting:
                return 0
            key_ids = waiting.pop()
            body = msgspec.json.encode({"key_IDs": [{"key_ID": key_id} for key_id in key_ids]})
            client.ask("POST", "SAE-A/dec_keys", body)
            return len(key_ids)

        return fetch

    def connecting() -> int:
        client().ask("GET", "SAE-B/status")
        return 1

    one = client()
    runs: dict[str, Callable[[], list[Callable[[], int]]]] = {
        "status": lambda: [asking(one, "GET", "SAE-B/status")],
        "enc_keys, one client": lambda: [asking(one, "GET", "SAE-B/enc_keys")],
        "enc_keys, 32 clients": lambda: [asking(client(), "GET", "SAE-B/enc_keys") for _ in range(32)],
        "enc_keys by 100, keys": lambda: [by_hundred(client()) for _ in range(2)],
        "dec_keys by 100, keys": lambda: [fetching(client("SAE-B", "KME-B"))],
        "new connection and status": lambda: [connecting],
    }
    for what, actions in runs.items():
        if options.only in what:
            print(timed(what, options.seconds, actions(), server_seconds), flush=True)


if __name__ == "__main__":
    main()
