"""The links of one site of the network example: a session for each, over TCP, all in one event loop.

The first site of a link is its Alice, and listens; Bob connects. Each end has its own records and its own copy of the
pre-shared key in `links/NAME`, nothing of the other end.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import qkdpost as qp
from hosts import store

TIMEOUT_SECONDS = 240
Ready = Callable[[str, qp.SecretKey], None]
"""Takes the name of a link and a key of it."""


async def distil(folder: Path, listening: dict[str, socket.socket], ports: dict[str, int], ready: Ready) -> None:
    """Run the sessions of all links of a site until each is through with its records.

    Args:
        folder: of the site.
        listening: for links whose Alice is here, the socket that listens.
        ports: for links whose Bob is here, where its Alice listens.
        ready: called with each key, as soon as it is ready.
    """
    async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
        for name, server in listening.items():
            tasks.create_task(_be_alice(folder / "links" / name, name, server, ready))
        for name, port in ports.items():
            tasks.create_task(_be_bob(folder / "links" / name, name, port, ready))


async def _be_alice(folder: Path, name: str, listening: socket.socket, ready: Ready) -> None:
    done = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            done.set_result(await _run(_session("alice", folder), name, reader, writer, ready))
        except (OSError, qp.QkdpostError) as error:
            done.set_exception(error)

    server = await asyncio.start_server(serve, sock=listening)
    await done
    server.close()


async def _be_bob(folder: Path, name: str, port: int, ready: Ready) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _run(_session("bob", folder), name, reader, writer, ready)


async def _run(
    session: qp.Session, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ready: Ready
) -> None:
    async for event in qp.transport.asyncio.run(session, reader, writer):
        match event:
            case qp.KeyReady(key=key):
                ready(name, key)
            case qp.BlockAborted(detail=detail):
                print(f"{name}: no key: {detail}", flush=True)
    writer.close()


def _session(role: str, folder: Path) -> qp.Session:
    link = qp.LinkConfig.from_toml((folder / "link.toml").read_text(encoding="utf-8"))
    pool = qp.KeyPool((folder / "preshared.key").read_bytes())
    session = qp.Session(role=role, link=link, auth_key=pool, save_pool=partial(store, folder / "pool.snapshot"))
    for record in _records(folder):
        session.submit(record)
    session.finish()
    return session


def _records(folder: Path) -> Iterable[object]:
    for path in sorted(folder.glob("record-*.npz")):
        yield qp.load(path)
        path.unlink()
