"""One key manager of the network example, in a process of its own; `metropolitan_network.py` starts it.

Its folder holds what belongs to the site. It says by a pipe on which ports it listens, which keys its links made
(without the keys), and its account when it is asked. It is told where the others listen; when the pipe is closed, it
stops.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import qkdpost as qp
from network_links import distil
from network_sites import name_of, read_network

network = qp.transport.network

IDLE_BITS = 49_152
"""What a pair without a link holds in stock, so that a request finds it."""
LINK_RESERVE_BYTES = 512
"""Of each direction of a link; small, as the stock of the example is."""
TIDY_SECONDS = 5.0
ADDRESS = "127.0.0.1"


class Site:
    """What a site has: its name, the network, its pairs without a link, and where it listened before a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        facts = json.loads((folder / "site.json").read_text(encoding="utf-8"))
        self.name: str = facts["name"]
        self.pairs: list[tuple[str, str, int]] = [tuple(pair) for pair in facts["pairs"]]
        self.network = read_network(folder / "network.toml")
        self.links = {name_of(link): link for link in self.network.links if self.name in link.between}
        self.before: dict[str, int] = {}
        if (folder / "ports.json").exists():
            self.before = json.loads((folder / "ports.json").read_text(encoding="utf-8"))

    @property
    def peers(self) -> list[str]:
        """All that it shares a pool with: the other ends of links, and of pairs without one."""
        others = [pair[:2] for pair in self.pairs] + [link.between for link in self.links.values()]
        return sorted({name for names in others if self.name in names for name in names} - {self.name})

    def key_manager(self, store: qp.network.SqliteStore) -> qp.network.KeyManager:
        rules = tuple(
            qp.network.PairRule(between=(one, other), disjoint_paths=k, idle_bits=IDLE_BITS)
            for one, other, k in self.pairs
        )
        return qp.network.KeyManager(
            name=self.name,
            store=store,
            topology=self.network,
            relay=qp.network.RelayPolicy(pairs=rules, idle_bits=0, link_reserve_bytes=LINK_RESERVE_BYTES),
        )

    def credentials(self, authority: str) -> network.Credentials:
        """Return its certificate and key, and the authority that vouches for whoever calls."""
        files = {"certificate": "kme.crt", "private_key": "kme.key", "authority": authority}
        return network.Credentials(**{name: self.folder / file for name, file in files.items()})


async def work(site: Site, pipe: Connection) -> None:
    """Serve peers and applications until the pipe is closed."""
    told = listen_to(pipe)
    store = qp.network.SqliteStore(site.folder / "store")
    manager = site.key_manager(store)
    async with network.KeyManagerHost(manager, advance_seconds=0.1) as host:
        key_managers, applications = site.credentials("kme-authority.crt"), site.credentials("sae-authority.crt")
        ports = {name: site.before.get(name, 0) for name in ("peers", "delivery")}
        peers = await network.serve_peers(host, ADDRESS, ports["peers"], credentials=key_managers)
        delivery = await network.serve_etsi014(
            host, qp.network.Etsi014(manager), ADDRESS, ports["delivery"], credentials=applications
        )
        ends = alice_sockets(site)
        ports = {"peers": peers.port, "delivery": delivery.port}
        (site.folder / "ports.json").write_text(json.dumps(ports), encoding="utf-8")
        pipe.send({"ports": ports | {name: end.getsockname()[1] for name, end in ends.items()}})
        directory = (await told.get())["directory"]
        await make_key(site, host, ends, directory, pipe)
        pipe.send({"distilled": True})
        for peer in site.peers:
            if site.name < peer:  # one end of each pair calls
                await network.connect_peer(host, peer, ADDRESS, directory[peer]["peers"], credentials=key_managers)
        tidying = asyncio.create_task(tidy(host, store))
        while await told.get():
            account = await host.call(manager.account)
            pipe.send({"account": {pool.peer: asdict(pool) for pool in account.pools}})
        tidying.cancel()
    manager.close()


async def tidy(host: network.KeyManagerHost, store: qp.network.SqliteStore) -> None:
    """Empty the store's log now and then, so that key that was spent is in no file."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        await host.call(lambda: host.manager.maintain(store.checkpoint))


def listen_to(pipe: Connection) -> asyncio.Queue[dict[str, Any] | None]:
    """Return a queue of what is told by the pipe; None when it has been closed."""
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def hear() -> None:
        try:
            told.put_nowait(pipe.recv())
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            told.put_nowait(None)

    loop.add_reader(pipe.fileno(), hear)
    return told


def alice_sockets(site: Site) -> dict[str, socket.socket]:
    """Listen for Bob on the links of which Alice is here, as long as they have records."""
    mine = [name for name, link in site.links.items() if link.between[0] == site.name]
    return {name: socket.create_server((ADDRESS, 0)) for name in mine if has_records(site, name)}


def has_records(site: Site, link: str) -> bool:
    return any((site.folder / "links" / link).glob("record-*.npz"))


async def make_key(
    site: Site,
    host: network.KeyManagerHost,
    ends: dict[str, socket.socket],
    directory: dict[str, dict[str, int]],
    pipe: Connection,
) -> None:
    """Let the links distil what they have records for, and hand each key to the key manager."""
    stored = []

    def ready(name: str, key: qp.SecretKey) -> None:
        link = site.links[name]
        (peer,) = set(link.between) - {site.name}
        stored.append(host.call(lambda: host.manager.add_key(peer, key, kind=link.kind)))
        facts = {"bits": len(key), "epsilon": key.epsilon, "accumulated_epsilon": key.accumulated_epsilon}
        pipe.send({"key": {"link": name} | facts})

    theirs = [name for name, link in site.links.items() if link.between[1] == site.name and has_records(site, name)]
    ports = {name: directory[site.links[name].between[0]][name] for name in theirs}
    await distil(site.folder, ends, ports, ready)
    await asyncio.gather(*stored)


def run(folder: Path, pipe: Connection) -> None:
    """Be the key manager of the site to which a folder belongs."""
    asyncio.run(work(Site(folder), pipe))
