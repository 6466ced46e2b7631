"""Connections between key managers: TLS 1.3 with certificates at both ends, made again when they end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time

from qkdpost.checks import instance, whole_number
from qkdpost.errors import NotAuthorised, QkdpostError, RemoteProtocolError
from qkdpost.network.events import Event, StoreFailed
from qkdpost.network.names import checked_name
from qkdpost.transport.network.certificates import KEY_MANAGER, Credentials, Identification, context_of
from qkdpost.transport.network.tls import TlsProtocol
from qkdpost.transport.network.turns import KeyManagerHost
from qkdpost.transport.reconnection import Reconnection

__all__ = ["PeerDialler", "PeerLines", "PeerServer", "Reconnection", "connect_peer", "serve_peers"]

_HANDSHAKE_SECONDS = 10.0
_MOST_STRANGERS = 256
"""Connections that have not shown a certificate yet."""
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
    """
    instance("host", host, KeyManagerHost)
    checked_name("name", name)
    whole_number("port", port, least=1, most=65_535)
    context = context_of(credentials, server_side=False, oldest="1.3")
    dialler = PeerDialler(PeerLines.of(host), name, (address, port), context, identification, reconnection)
    dialler.start()
    return dialler


class PeerLine(TlsProtocol):
    """One connection to another key manager.

    Attributes:
        name: of the other, once its certificate has shown it; "" before.
        dialled: whether this end called.
        is_wrong: whether what came is not of the protocol; closed after the commit.
        ready: done when the other was told by its certificate, or the connection has ended.
        over: done when the connection has ended.
    """

    def __init__(
        self, lines: PeerLines, context: ssl.SSLContext, identification: Identification, expected: str | None
    ) -> None:
        super().__init__(context, server_side=expected is None, handshake_seconds=_HANDSHAKE_SECONDS)
        loop = asyncio.get_running_loop()
        self.name = ""
        self.dialled = expected is not None
        self.is_wrong = False
        self.ready: asyncio.Future[bool] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self._lines = lines
        self._identification = identification
        self._expected = expected

    def accepted(self) -> bool:
        """Count a new connection; only so many may be there without a name."""
        if not self.dialled and sum(not each.name for each in self._lines.all) >= _MOST_STRANGERS:
            return False
        self._lines.all.add(self)
        return True

    def opened(self, certificate: bytes) -> None:
        """Find out who is there; hang up on others than peers."""
        self.deadline = float("inf")
        try:
            name = self._identification.name_in(certificate, KEY_MANAGER, "server" if self.dialled else "client")
            if self._expected not in (None, name):
                raise NotAuthorised("another key manager answered than the one that was called")
        except NotAuthorised:
            self.abort()
            return
        self.name = name
        self._lines.host.when_free(lambda: self._lines.admit(self))

    def received(self, data: bytes) -> None:
        """Hand bytes to the conversation when the key manager is free; meanwhile read no more."""
        self.hold_back(not self._lines.host.is_free)
        self._lines.host.when_free(lambda: self._lines.take(self, data))

    def lost(self) -> None:
        """Tell the conversation."""
        self._lines.all.discard(self)
        if not self.ready.done():
            self.ready.set_result(False)
        if not self.over.done():
            self.over.set_result(None)
        if self.name:
            self._lines.host.when_free(lambda: self._lines.drop(self))


class PeerLines:
    """All connections of one key manager to its peers, one for each at most; a part of its host."""

    def __init__(self, host: KeyManagerHost) -> None:
        self.host = host
        self.all: set[PeerLine] = set()
        self.owners: list[PeerServer | PeerDialler] = []
        self._of_peer: dict[str, PeerLine] = {}

    @classmethod
    def of(cls, host: KeyManagerHost) -> PeerLines:
        """Return the lines of a host; there is one such part."""
        for part in host.parts:
            if isinstance(part, cls):
                return part
        lines = cls(host)
        host.parts.append(lines)
        return lines

    def line_to(self, name: str) -> PeerLine | None:
        """Return the connection to a peer, if there is one."""
        return self._of_peer.get(name)

    def admit(self, line: PeerLine) -> None:
        """Begin the conversation over a new connection, in place of an older one of the same peer."""
        if not line.is_open:
            return
        older = self._of_peer.get(line.name)
        try:
            conversation = self.host.manager.peer(line.name)
            if older is not None and not self._replaces(line, older):
                raise NotAuthorised("this peer is connected already")
            if older is not None:
                self.drop(older)
                older.abort()
            conversation.connection_made()
        except QkdpostError:
            line.name = ""
            line.abort()
            return
        self._of_peer[line.name] = line
        line.ready.set_result(True)
        self.host.commit_soon()

    def take(self, line: PeerLine, data: bytes) -> None:
        """Hand bytes to a conversation; wrong ones end the connection, after the commit that counts them."""
        line.hold_back(False)
        if self._of_peer.get(line.name) is not line or line.is_wrong:
            return
        try:
            self.host.manager.peer(line.name).receive_data(data)
        except QkdpostError as error:
            line.is_wrong = True
            if not isinstance(error, RemoteProtocolError):
                line.abort()
        self.host.commit_soon()

    def drop(self, line: PeerLine) -> None:
        """Tell a conversation that its connection is gone."""
        if self._of_peer.get(line.name) is line:
            del self._of_peer[line.name]
            with contextlib.suppress(QkdpostError):
                self.host.manager.peer(line.name).connection_lost()
            self.host.commit_soon()

    def after_commit(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Send what the conversations have to say; after a failure of the store every connection is broken."""
        failed = any(isinstance(event, StoreFailed) for event in events)
        for name, line in list(self._of_peer.items()):
            try:
                conversation = self.host.manager.peer(name)
            except QkdpostError:
                line.close()
                continue
            if failed or line.is_wrong or name in self.host.standing_peers or not conversation.is_connected:
                line.close()
            elif data := conversation.data_to_send():
                line.write(data)
        self.host.standing_peers.clear()
        return events

    async def aclose(self) -> None:
        """Close every connection, and call and listen no more."""
        for owner in list(self.owners):
            await owner.aclose()
        for line in list(self.all):
            line.abort()
        while self.all:
            await asyncio.sleep(0)
        if self in self.host.parts:
            self.host.parts.remove(self)

    def _replaces(self, line: PeerLine, older: PeerLine) -> bool:
        """Tell whether a new connection counts in place of an older one: not if only the older has the right caller."""
        callers = (self.host.manager.name, line.name)
        new_caller, old_caller = (callers[0] if each.dialled else callers[1] for each in (line, older))
        return new_caller == old_caller or new_caller == min(callers, key=str.encode)


class PeerServer:
    """Where other key managers connect; made by `serve_peers`."""

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
    """Calls one peer as long as it lives; made by `connect_peer`."""

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
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
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
