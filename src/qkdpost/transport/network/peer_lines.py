"""The connections of one key manager to its peers, and which of two counts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Protocol

from qkdpost.errors import NotAuthorised, QkdpostError, RemoteProtocolError
from qkdpost.network.events import Event, StoreFailed
from qkdpost.transport.network.certificates import KEY_MANAGER, Identification
from qkdpost.transport.network.tls import TlsProtocol
from qkdpost.transport.network.turns import KeyManagerHost

__all__ = ["HANDSHAKE_SECONDS", "PeerLine", "PeerLines"]

HANDSHAKE_SECONDS = 10.0
_MOST_STRANGERS = 256
"""Connections that have not shown a certificate yet."""


class Owner(Protocol):
    """What makes connections: by listening, or by calling."""

    async def aclose(self) -> None:
        """Make no more."""


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
        super().__init__(context, server_side=expected is None, handshake_seconds=HANDSHAKE_SECONDS)
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
        self.owners: list[Owner] = []
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
