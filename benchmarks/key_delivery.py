"""Two key managers over TLS, and how fast applications get keys from them: requests a second, and the time of each.

    python -m benchmarks.key_delivery [--seconds 3] [--only "enc_keys, one client"] [--folder DIR] [--loop uvloop]

Key managers A and B run in a process each, with a SQLite store that is synchronised at every commit, joined by TLS 1.3
over loopback. Both are bound to one core, which is the "one core" of the bars; the clients are bound to another, where
there is one, and no time of theirs counts as the key managers'. Clients are plain sockets with TLS kept alive, a thread
each: they send the next request when they have the answer. Every key crosses to B and is confirmed by it before A's
client sees it. What the folder lies on decides how long a commit takes.

Behind the times stand the processor's microseconds that each process took for one request, or key, by its own clock
of processor time, kernel and all threads included. "k/s of processor" is how many thousands a second one core could
serve that did nothing else than work for A and B: on a busy machine, where others wait on the same cores, it is the
figure that means something. One client alone waits longer than anybody works: for two wake-ups of processes a request.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tests.support.certificates import Certificates

import qkdpost as qp
from benchmarks.options import parser_of
from qkdpost.network import Etsi014
from qkdpost.network.manager import KeyManager
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.sqlite import SqliteStore
from qkdpost.transport.network import Credentials, KeyManagerHost, connect_peer, serve_etsi014, serve_peers

BARS = {
    "status": (4000, 6000),
    "status, 8 clients": (4000, 6000),
    "enc_keys, one client": (1000, 2000),
    "enc_keys, 32 clients": (3000, 6000),
}
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


@dataclass(frozen=True)
class Plan:
    """What the process of a key manager is told."""

    name: str
    folder: Path
    segments: int
    loop: str
    core: int | None
    to_applications: Credentials
    to_peers: Credentials
    peer_port: int = 0


def serve(plan: Plan, pipe: Connection) -> None:
    """Run a key manager on its core until the parent hangs up."""
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    factory: Any = None
    if plan.loop == "uvloop":
        factory = import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(keep(plan, pipe))


async def keep(plan: Plan, pipe: Connection) -> None:
    """Tell the ports, then the processor time as often as it is asked for."""
    manager = stocked_manager(plan)
    peer = next(name for name in SITES if name != plan.name)
    async with KeyManagerHost(manager) as host:
        server = await serve_etsi014(host, Etsi014(manager), "127.0.0.1", 0, credentials=plan.to_applications)
        lines = await serve_peers(host, "127.0.0.1", 0, credentials=plan.to_peers)
        if plan.peer_port:
            dialler = await connect_peer(host, peer, "127.0.0.1", plan.peer_port, credentials=plan.to_peers)
            await dialler.connected()
            names = {"master": SITES[plan.name], "slave": SITES[peer]}
            while not await host.call(lambda: manager.stock(**names).deliverable_bits):
                await asyncio.sleep(0.05)
        pipe.send((server.port, lines.port))
        while await asyncio.to_thread(pipe.recv):
            pipe.send(time.process_time())


def stocked_manager(plan: Plan) -> KeyManager:
    """Return a key manager with the keys of the link, which both ends draw alike."""
    manager = KeyManager(name=plan.name, store=SqliteStore(plan.folder / plan.name), topology=TOPOLOGY)
    rng = np.random.default_rng(14)
    for number in range(plan.segments):
        key = qp.SecretKey(
            bits=qp.Bits.from_bytes(rng.bytes(SEGMENT_BYTES), 8 * SEGMENT_BYTES),
            identifier=number.to_bytes(16, "big"),
            epsilon=1e-10,
            accumulated_epsilon=(number + 1) * 1e-10,
        )
        manager.add_key(next(name for name in SITES if name != plan.name), key, kind="bb84")
        manager.commit()
    return manager


class Servers:
    """The processes of both key managers."""

    def __init__(self, folder: Path, options: argparse.Namespace, core: int | None) -> None:
        certificates = Certificates(folder)
        for application in SITES.values():
            certificates.application(application)
        self.ports: dict[str, int] = {}
        self._pipes: dict[str, Connection] = {}
        self._processes: list[Any] = []
        peer_port = 0
        for name in ("KME-B", "KME-A"):
            plan = Plan(
                name=name,
                folder=folder,
                segments=options.segments,
                loop=options.loop,
                core=core,
                to_applications=certificates.to_applications(name),
                to_peers=certificates.to_peers(name),
                peer_port=peer_port,
            )
            self._pipes[name], theirs = multiprocessing.Pipe()
            process = multiprocessing.get_context("spawn").Process(target=serve, args=(plan, theirs), daemon=True)
            process.start()
            self._processes.append(process)
            self.ports[name], peer_port = self._pipes[name].recv()

    def processor_seconds(self) -> dict[str, float]:
        """Return what each process has used so far, ours as that of the clients."""
        for pipe in self._pipes.values():
            pipe.send(True)
        used = {name: float(pipe.recv()) for name, pipe in sorted(self._pipes.items())}
        return used | {"clients": time.process_time()}

    def end(self) -> None:
        for pipe in self._pipes.values():
            pipe.send(False)
        for process in self._processes:
            process.join()


def cores() -> tuple[int | None, int | None]:
    """Return a core for the key managers and another for the clients, None where they cannot be bound."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        return None, None
    first, second, *_ = sorted(os.sched_getaffinity(0))
    return first, second


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
    processor_us: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        bar, goal = BARS.get(self.what, (0, 0))
        wanted = f"   bar {bar}, goal {goal}" if bar else ""
        times = f"median {self.median_ms:6.2f} ms, 99 % {self.worst_ms:6.2f} ms"
        each = ", ".join(f"{name} {used:.0f}" for name, used in self.processor_us.items())
        possible = 1e3 / sum(used for name, used in self.processor_us.items() if name != "clients")
        return f"{self.what:26} {self.rate:7.0f} /s  {times}   {each} us   {possible:6.2f} k/s of processor{wanted}"


def timed(what: str, seconds: float, actions: list[Callable[[], int]], servers: Servers) -> Found:
    """Repeat each action in a thread of its own; an action returns how much it was worth."""
    times: list[float] = []
    counts: list[int] = []

    def repeat(action: Callable[[], int]) -> None:
        while time.perf_counter() < ends:
            began = time.perf_counter()
            counts.append(action())
            times.append(time.perf_counter() - began)

    for action in actions:
        action()
    used, began = servers.processor_seconds(), time.perf_counter()
    ends = began + seconds
    threads = [threading.Thread(target=repeat, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    each = {name: 1e6 * (now - used[name]) / max(1, sum(counts)) for name, now in servers.processor_seconds().items()}
    worst = sorted(times)[int(0.99 * len(times))]
    return Found(what, sum(counts) / taken, 1e3 * statistics.median(times), 1e3 * worst, each)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    parser.add_argument("--segments", type=int, default=12, help=f"keys of the link, of {SEGMENT_BYTES} bytes each")
    parser.add_argument("--only", default="", help="measurements whose names hold this text")
    parser.add_argument("--folder", type=Path, help="where the stores lie; default: a temporary folder")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio", help="of the key managers")
    options = parser.parse_args()
    servers_core, clients_core = cores()
    if clients_core is None:
        print("one core for all: clients and key managers wait for each other, only processor times mean something")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        servers = Servers(Path(name), options, servers_core)
        if clients_core is not None:
            os.sched_setaffinity(0, {clients_core})
        try:
            measure(Path(name), servers, options)
        finally:
            servers.end()


def measure(folder: Path, servers: Servers, options: argparse.Namespace) -> None:
    def client(caller: str = "SAE-A", at: str = "KME-A") -> Client:
        return Client(folder, caller, servers.ports[at])

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
        "status, 8 clients": lambda: [asking(client(), "GET", "SAE-B/status") for _ in range(8)],
        "enc_keys, one client": lambda: [asking(one, "GET", "SAE-B/enc_keys")],
        "enc_keys, 32 clients": lambda: [asking(client(), "GET", "SAE-B/enc_keys") for _ in range(32)],
        "enc_keys by 100, keys": lambda: [by_hundred(client()) for _ in range(2)],
        "dec_keys by 100, keys": lambda: [fetching(client("SAE-B", "KME-B"))],
        "new connection and status": lambda: [connecting],
    }
    for what, actions in runs.items():
        if options.only in what:
            print(timed(what, options.seconds, actions(), servers), flush=True)


if __name__ == "__main__":
    main()
