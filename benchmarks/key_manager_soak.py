"""Two key managers in processes of their own, under load for as long as you like, and killed at random if you like.

    python -m benchmarks.key_manager_soak [--seconds 60] [--kill] [--folder DIR]

Applications at both ends ask for keys in both directions and fetch them at the other end, through HTTPS. With `--kill`
one of the key managers, drawn at random, is killed with SIGKILL as soon as keys flow, and started again. Link keys come
in all the time. In the end every key that both ends got is compared, and no key may have been given under two IDs; the
exit status is 1 if one was. Every ten seconds a line tells memory and the size of the log of both stores: neither may
grow for ever.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import multiprocessing
import os
import random
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tests.support.certificates import Certificates

import qkdpost as qp
from qkdpost.network import Etsi014
from qkdpost.network.manager import KeyManager
from qkdpost.network.relay.topology import Topology
from qkdpost.network.store.sqlite import SqliteStore
from qkdpost.transport.network import Credentials, KeyManagerHost, connect_peer, serve_etsi014, serve_peers

SITES = {"KME-A": "SAE-A", "KME-B": "SAE-B"}
SEGMENT_BYTES = 1_000_000
STUCK_SECONDS = 60
TOPOLOGY = Topology.from_mapping(
    {
        "sites": {name: {"applications": [application]} for name, application in SITES.items()},
        "links": [{"between": list(SITES), "kind": "bb84", "length_km": 10.0}],
    }
)


# A key manager.


def link_key(seed: int, number: int) -> qp.SecretKey:
    """Return the link's key of a number, the same at both ends."""
    content = np.random.default_rng([seed, number]).bytes(SEGMENT_BYTES)
    return qp.SecretKey(
        bits=qp.Bits.from_bytes(content, 8 * SEGMENT_BYTES),
        identifier=number.to_bytes(16, "big"),
        epsilon=1e-12,
        accumulated_epsilon=(number + 1) * 1e-12,
    )


@dataclass(frozen=True)
class Plan:
    """What the key managers' processes are told."""

    folder: Path
    ports: dict[str, int]
    seed: int
    to_applications: dict[str, Credentials]
    to_peers: dict[str, Credentials]


async def keep(name: str, plan: Plan) -> None:
    """Run one key manager until it is killed, or told to end."""
    folder, ports = plan.folder, plan.ports
    (peer,) = set(SITES) - {name}
    store = SqliteStore(folder / name)
    manager = KeyManager(name=name, store=store, topology=TOPOLOGY)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with KeyManagerHost(manager) as host:
        service = Etsi014(manager)
        await serve_etsi014(host, service, "127.0.0.1", ports[name], credentials=plan.to_applications[name])
        credentials = plan.to_peers[name]
        if name == "KME-A":
            await connect_peer(host, peer, "127.0.0.1", ports["peers"], credentials=credentials)
        else:
            await serve_peers(host, "127.0.0.1", ports["peers"], credentials=credentials)
        began = time.time() - (folder / "began").stat().st_mtime
        number = 0
        while not ended.is_set():
            # As a link does: a key now and then, and after a restart those that came before are known.
            while number <= 4 + began / 4:
                key = link_key(plan.seed, number)
                await host.call(lambda key=key: manager.add_key(peer, key, kind="bb84"))
                number += 1
            await host.call(lambda: manager.maintain(store.checkpoint))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 1.0)
            began = time.time() - (folder / "began").stat().st_mtime


def start(name: str, plan: Plan) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["qkdpost.network.manager", "qkdpost.transport.network"])
    process = context.Process(target=run_key_manager, args=(name, plan), daemon=True)
    process.start()
    return process


def run_key_manager(name: str, plan: Plan) -> None:
    asyncio.run(keep(name, plan))


# The applications.


@dataclass
class Record:
    """What applications got: digests of keys by ID, at the master and at the slave."""

    asked: dict[str, str] = field(default_factory=dict)
    fetched: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    broken: int = 0

    def faults(self) -> list[str]:
        unequal = [name for name, key in self.fetched.items() if self.asked.get(name, key) != key]
        twice = len(self.asked) - len(set(self.asked.values()))
        return [f"{len(unequal)} unequal pairs"] * bool(unequal) + [f"{twice} keys under two IDs"] * bool(twice)


class Application:
    """Asks at its own key manager, and lets the partner fetch at the other one."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.context = ssl.create_default_context(cafile=folder / "key-managers.pem")
        self.context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.port = port
        self.socket: ssl.SSLSocket | None = None

    def ask(self, target: str, body: bytes) -> dict[str, Any] | None:
        """Return the answer, or None if it was no; OSError if there was none."""
        try:
            if self.socket is None:
                plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                self.socket = self.context.wrap_socket(plain, server_hostname="127.0.0.1")
            head = f"POST /api/v1/keys/{target} HTTP/1.1\r\nHost: kme\r\nContent-Length: {len(body)}\r\n\r\n"
            self.socket.sendall(head.encode() + body)
            data = self.receive(self.socket, 1)
            while (end := data.find(b"\r\n\r\n") + 4) < 4:
                data += self.receive(self.socket, 1)
            length = int(data[:end].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(data) < end + length:
                data += self.receive(self.socket, 1)
        except OSError:
            self.socket = None
            raise
        return msgspec.json.decode(data[end:]) if b" 200 " in data[:20] else None

    @staticmethod
    def receive(line: ssl.SSLSocket, least: int) -> bytes:
        data = line.recv(65_536)
        if len(data) < least:
            raise ConnectionResetError("the key manager has gone")
        return data


def converse(folder: Path, ports: dict[str, int], names: tuple[str, str], record: Record, ends: float) -> None:
    """Ask for keys at the first site, and fetch them at the second, until the time is over."""
    master, slave = (Application(folder, SITES[name], ports[name]) for name in names)
    draw = random.Random(str(names))
    while time.monotonic() < ends:
        try:
            got = master.ask(f"{SITES[names[1]]}/enc_keys", msgspec.json.encode({"number": draw.randint(1, 10)}))
            if got is None:
                record.refused += 1
                time.sleep(0.05)
                continue
            keys = {key["key_ID"]: digest(key["key"]) for key in got["keys"]}
            record.asked |= keys
            body = msgspec.json.encode({"key_IDs": [{"key_ID": name} for name in keys]})
            fetched = slave.ask(f"{SITES[names[0]]}/dec_keys", body)
            if fetched is None:
                record.refused += 1
            else:
                record.fetched |= {key["key_ID"]: digest(key["key"]) for key in fetched["keys"]}
        except OSError:
            record.broken += 1
            time.sleep(0.05)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


# The whole.


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def line_of(folder: Path, processes: dict[str, Any], record: Record, since: float) -> str:
    told = [f"{time.monotonic() - since:6.0f} s  {len(record.asked):7} keys asked, {len(record.fetched):7} fetched"]
    for name, process in processes.items():
        with contextlib.suppress(OSError, ValueError):
            pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
            log = sum(path.stat().st_size for path in (folder / name).glob("*-wal"))
            told.append(f"{name} {pages * os.sysconf('SC_PAGE_SIZE') / 2**20:.0f} MiB, log {log / 2**20:.1f} MiB")
    return "   ".join(told)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long")
    parser.add_argument("--kill", action="store_true", help="kill one of them whenever keys flow")
    parser.add_argument("--folder", type=Path, help="where the stores lie; default: a temporary folder")
    parser.add_argument("--seed", type=int, default=1, help="of what the applications ask and when one is killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        return soak(Path(name), options)


def soak(folder: Path, options: argparse.Namespace) -> int:
    certificates = Certificates(folder)
    for application in SITES.values():
        certificates.application(application)
    (folder / "began").touch()
    ports = {name: free_port() for name in (*SITES, "peers")}
    plan = Plan(
        folder=folder,
        ports=ports,
        seed=options.seed,
        to_applications={name: certificates.to_applications(name) for name in SITES},
        to_peers={name: certificates.to_peers(name) for name in SITES},
    )
    draw = random.Random(options.seed)
    record = Record()
    began = time.monotonic()
    processes = {name: start(name, plan) for name in SITES}
    ends = began + options.seconds
    threads = [
        threading.Thread(target=converse, args=(folder, ports, names, record, ends))
        for names in (("KME-A", "KME-B"), ("KME-B", "KME-A"))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    kills, told, moved, fetched = 0, began, began, 0
    while (now := time.monotonic()) < ends and now - moved < STUCK_SECONDS:
        time.sleep(draw.uniform(0.0, 1.0))
        if len(record.fetched) > fetched:  # keys flow again: the next one dies in the middle of it
            moved, fetched = now, len(record.fetched)
            if options.kill:
                name = draw.choice(list(SITES))
                processes[name].kill()
                processes[name].join()
                processes[name] = start(name, plan)
                kills += 1
        if now - told > 10:
            told = now
            print(line_of(folder, processes, record, began), flush=True)
    for thread in threads:
        thread.join()
    for process in processes.values():
        process.terminate()
        process.join(20)
    print(
        f"{kills} kills, {len(record.asked)} keys asked for, {len(record.fetched)} of them fetched at the other end, "
        f"{record.refused} requests refused, {record.broken} without an answer"
    )
    faults = record.faults()
    if now - moved >= STUCK_SECONDS:
        faults.append(f"nothing was fetched for {STUCK_SECONDS} s")
    print("; ".join(faults) or "all pairs equal, no key twice")
    return 1 if faults or not record.fetched else 0


if __name__ == "__main__":
    sys.exit(main())
