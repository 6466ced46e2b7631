"""Connections between key managers: TLS 1.3 with certificates at both ends, made again when they end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time

from qkdpost.checks import instance, whole_number
from qkdpost.network.names import checked_name
from qkdpost.transport.network.certificates import Credentials, Identification, context_of
from qkdpost.transport.network.peer_lines import HANDSHAKE_SECONDS, PeerLine, PeerLines
from qkdpost.transport.network.turns import KeyManagerHost
from qkdpost.transport.reconnection import Reconnection

__all__ = ["PeerDialler", "PeerServer", "Reconnection", "connect_peer", "serve_peers"]

_SWEEP_SECONDS = 0.5


async def serve_peers(
    host: KeyManagerHost,
    address: str,
    port: int,
    *,
    credentials: Credentials,
    identification: Identification = Identification(),  # noqa: B008 frozen
) -> PeerServer:
    """Let other key managers connect, until the host or the server is closed.

    TLS 1.3, and a certificate for TLS clients, signed by the authority of `credentials`, that names one of the key
    manager's peers in one URI `urn:qkdpost:kme:NAME`. Others are hung up on. Security does not rest on TLS here: it
    keeps strangers from burning pads, and hides the traffic.

    Args:
        host: of the key manager.
        address: to listen at.
        port: 0 for any that is free; `PeerServer.port` tells which.
        credentials: of this key manager, and the authority of key managers.
        identification: how peers are told.

    Raises:
        ConfigurationError: a file of `credentials` cannot be used.
        OSError: the address cannot be listened at.

    With the files of a certificate, its key and the authority in this folder:

    >>> import asyncio
    >>> from qkdpost import network, transport
    >>> sites = [network.Site(name="north"), network.Site(name="south")]
    >>> link = network.Link(between=("north", "south"), kind="bb84", length_km=20.0)
    >>> topology = network.Topology(sites=sites, links=[link])
    >>> north = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> shown = transport.network.Credentials(
    ...     certificate="north.pem", private_key="north.key", authority="key-managers.pem"
    ... )
    >>> async def main():
    ...     async with transport.network.KeyManagerHost(north) as host:
    ...         server = await transport.network.serve_peers(host, "127.0.0.1", 0, credentials=shown)
    ...         return server.port
    >>> asyncio.run(main()) > 0
    True
    """
    instance("host", host, KeyManagerHost)
    context = context_of(credentials, server_side=True, oldest="1.3")
    server = PeerServer(PeerLines.of(host), identification)
    await server.listen(address, port, context)
    return server


async def connect_peer(
    host: KeyManagerHost,
    name: str,
    address: str,
    port: int,
    *,
    credentials: Credentials,
    identification: Identification = Identification(),  # noqa: B008 frozen
    reconnection: Reconnection = Reconnection(),  # noqa: B008 frozen
) -> PeerDialler:
    """Keep a connection to another key manager: call it now, and again whenever there is none.

    One end of a pair is enough; if both call, the call of the one whose name sorts first counts.

    Args:
        host: of the key manager.
        name: of the other, which its certificate for TLS servers must have in one URI `urn:qkdpost:kme:NAME`.
        address: it listens at.
        port: with `serve_peers`.
        credentials: of this key manager, and the authority of key managers.
        identification: how the other is told.
        reconnection: how long to wait in between.

    Returns:
        At once; `PeerDialler.connected` waits for the first connection.

    Raises:
        InputError: no name, or no port.
        ConfigurationError: a file of `credentials` cannot be used.

    Both ends in one process, with their files in this folder:

    >>> import asyncio
    >>> from qkdpost import network, transport
    >>> sites = [network.Site(name="north"), network.Site(name="south")]
    >>> link = network.Link(between=("north", "south"), kind="bb84", length_km=20.0)
    >>> topology = network.Topology(sites=sites, links=[link])
    >>> def host_of(name):
    ...     manager = network.KeyManager(name=name, store=network.MemoryStore(), topology=topology)
    ...     return transport.network.KeyManagerHost(manager)
    >>> def shown_by(name):
    ...     return transport.network.Credentials(
    ...         certificate=f"{name}.pem", private_key=f"{name}.key", authority="key-managers.pem"
    ...     )
    >>> async def main():
    ...     async with host_of("north") as north, host_of("south") as south:
    ...         server = await transport.network.serve_peers(south, "127.0.0.1", 0, credentials=shown_by("south"))
    ...         dialler = await transport.network.connect_peer(
    ...             north, "south", "127.0.0.1", server.port, credentials=shown_by("north")
    ...         )
    ...         await dialler.connected()
    ...         return "connected"
    >>> asyncio.run(main())
    'connected'
    """
    instance("host", host, KeyManagerHost)
    checked_name("name", name)
    whole_number("port", port, least=1, most=65_535)
    context = context_of(credentials, server_side=False, oldest="1.3")
    dialler = PeerDialler(PeerLines.of(host), name, (address, port), context, identification, reconnection)
    dialler.start()
    return dialler


class PeerServer:
    """Where other key managers connect; made by `serve_peers`.

    With the files of a certificate, its key and the authority in this folder:

    >>> import asyncio
    >>> from qkdpost import network, transport
    >>> sites = [network.Site(name="north"), network.Site(name="south")]
    >>> link = network.Link(between=("north", "south"), kind="bb84", length_km=20.0)
    >>> topology = network.Topology(sites=sites, links=[link])
    >>> north = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> shown = transport.network.Credentials(
    ...     certificate="north.pem", private_key="north.key", authority="key-managers.pem"
    ... )
    >>> async def main():
    ...     async with transport.network.KeyManagerHost(north) as host:
    ...         server = await transport.network.serve_peers(host, "127.0.0.1", 0, credentials=shown)
    ...         port = server.port
    ...         await server.aclose()
    ...         return port > 0
    >>> asyncio.run(main())
    True
    """

    def __init__(self, lines: PeerLines, identification: Identification) -> None:
        self._lines = lines
        self._identification = identification
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    async def listen(self, address: str, port: int, context: ssl.SSLContext) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: PeerLine(self._lines, context, self._identification, None), address, port
        )
        self._sweeping = loop.create_task(self._sweep())
        self._lines.owners.append(self)

    async def aclose(self) -> None:
        """Listen no more; connections that were made stay."""
        if self in self._lines.owners:
            self._lines.owners.remove(self)
        if self._server is not None:
            self._server.close()
        await _cancelled(self._sweeping)

    async def _sweep(self) -> None:
        """Give up those who do not end the handshake."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for line in [each for each in self._lines.all if each.deadline < now]:
                line.abort()


class PeerDialler:
    """Calls one peer as long as it lives; made by `connect_peer`, which shows both ends.

    With the files of a certificate, its key and the authority in this folder, and a peer that does not answer:

    >>> import asyncio
    >>> from qkdpost import network, transport
    >>> sites = [network.Site(name="north"), network.Site(name="south")]
    >>> link = network.Link(between=("north", "south"), kind="bb84", length_km=20.0)
    >>> topology = network.Topology(sites=sites, links=[link])
    >>> north = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> shown = transport.network.Credentials(
    ...     certificate="north.pem", private_key="north.key", authority="key-managers.pem"
    ... )
    >>> async def main():
    ...     async with transport.network.KeyManagerHost(north) as host:
    ...         dialler = await transport.network.connect_peer(host, "south", "127.0.0.1", 1, credentials=shown)
    ...         try:
    ...             await asyncio.wait_for(dialler.connected(), timeout=0.01)
    ...         except TimeoutError:
    ...             await dialler.aclose()
    ...             return "calls no more"
    >>> asyncio.run(main())
    'calls no more'
    """

    def __init__(
        self,
        lines: PeerLines,
        name: str,
        target: tuple[str, int],
        context: ssl.SSLContext,
        identification: Identification,
        reconnection: Reconnection,
    ) -> None:
        self._lines = lines
        self._name = name
        self._target = target
        self._context = context
        self._identification = identification
        self._reconnection = reconnection
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    def start(self) -> None:
        """Begin to call."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._lines.owners.append(self)

    async def connected(self) -> None:
        """Wait until the peer has been reached for the first time."""
        await self._connected.wait()

    async def aclose(self) -> None:
        """Call no more; a connection that was made stays."""
        if self in self._lines.owners:
            self._lines.owners.remove(self)
        await _cancelled(self._task)

    async def _run(self) -> None:
        wait = self._reconnection.first_seconds
        while True:
            line = self._lines.line_to(self._name) or await self._call()
            if line is not None:
                self._connected.set()
                began = time.monotonic()
                await line.over
                # A peer that hangs up at once is called as seldom as one that does not answer.
                worked = time.monotonic() - began > self._reconnection.most_seconds / 10
                wait = self._reconnection.first_seconds if worked else wait
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(2 * wait, self._reconnection.most_seconds)

    async def _call(self) -> PeerLine | None:
        loop = asyncio.get_running_loop()
        line: PeerLine | None = None

        def called() -> PeerLine:
            nonlocal line
            line = PeerLine(self._lines, self._context, self._identification, self._name)
            return line

        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await loop.create_connection(called, *self._target)
                return line if line is not None and await line.ready else None
        except (OSError, TimeoutError):
            if line is not None:
                line.abort()
            return None


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
