"""ETSI GS QKD 014 over HTTPS, with certificates at both ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import time
from collections import Counter

from qkdpost.checks import instance
from qkdpost.errors import NotAuthorised
from qkdpost.network.etsi014 import Etsi014, Request
from qkdpost.network.events import Event
from qkdpost.transport.network.certificates import APPLICATION, Credentials, Identification, context_of
from qkdpost.transport.network.http_connection import HttpConnection
from qkdpost.transport.network.limits import ServerLimits
from qkdpost.transport.network.turns import KeyManagerHost

__all__ = ["EtsiServer", "serve_etsi014"]

_SWEEP_SECONDS = 0.25
_BACKLOG = 1024


async def serve_etsi014(
    host: KeyManagerHost,
    service: Etsi014,
    address: str,
    port: int,
    *,
    credentials: Credentials,
    identification: Identification = Identification(),  # noqa: B008 frozen
    limits: ServerLimits = ServerLimits(),  # noqa: B008 frozen
) -> EtsiServer:
    """Serve applications by HTTPS until the host or the server is closed.

    TLS 1.2 or later, and a certificate of each application, signed by the authority of `credentials`, for TLS clients,
    that names it in one URI `urn:qkdpost:sae:NAME`. Without one that the authority signed there is no HTTP answer; with
    one that names no application, or one of another site, every request is answered 401.

    Args:
        host: of the key manager.
        service: the interface, over the same key manager.
        address: to listen at.
        port: 0 for any that is free; `EtsiServer.port` tells which.
        credentials: of the key manager, for TLS servers, and the authority of applications.
        identification: how applications are told.
        limits: of connections and times.

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
    ...     certificate="north.pem", private_key="north.key", authority="applications.pem"
    ... )
    >>> async def main():
    ...     async with transport.network.KeyManagerHost(north) as host:
    ...         service = network.Etsi014(north)
    ...         server = await transport.network.serve_etsi014(host, service, "127.0.0.1", 0, credentials=shown)
    ...         return server.port
    >>> asyncio.run(main()) > 0
    True
    """
    instance("host", host, KeyManagerHost)
    instance("service", service, Etsi014)
    context = context_of(credentials, server_side=True, oldest="1.2")
    context.set_alpn_protocols(["http/1.1"])
    server = EtsiServer(host, service, identification, limits)
    await server.listen(address, port, context)
    host.parts.append(server)
    return server


class EtsiServer:
    """Connections of applications to one service; made by `serve_etsi014`.

    With the files of a certificate, its key and the authority in this folder:

    >>> import asyncio
    >>> from qkdpost import network, transport
    >>> sites = [network.Site(name="north"), network.Site(name="south")]
    >>> link = network.Link(between=("north", "south"), kind="bb84", length_km=20.0)
    >>> topology = network.Topology(sites=sites, links=[link])
    >>> north = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> shown = transport.network.Credentials(
    ...     certificate="north.pem", private_key="north.key", authority="applications.pem"
    ... )
    >>> async def main():
    ...     async with transport.network.KeyManagerHost(north) as host:
    ...         service = network.Etsi014(north)
    ...         server = await transport.network.serve_etsi014(host, service, "127.0.0.1", 0, credentials=shown)
    ...         connections = server.connections
    ...         await server.aclose()
    ...         return connections
    >>> asyncio.run(main())
    0
    """

    def __init__(
        self, host: KeyManagerHost, service: Etsi014, identification: Identification, limits: ServerLimits
    ) -> None:
        self.limits = limits
        self.longest_body_bytes = service.limits.longest_body_bytes
        self._host = host
        self._service = service
        self._identification = identification
        self._connections: set[HttpConnection] = set()
        self._of_each: Counter[str] = Counter()
        self._under_way: dict[int, HttpConnection] = {}
        self._numbers = itertools.count()
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    @property
    def connections(self) -> int:
        """How many connections there are, those that shake hands among them."""
        return len(self._connections)

    async def listen(self, address: str, port: int, context: ssl.SSLContext) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpConnection(self, context), address, port, backlog=_BACKLOG)
        self._sweeping = loop.create_task(self._sweep())

    async def aclose(self) -> None:
        """Listen no more and close every connection; requests under way are not answered."""
        if self in self._host.parts:
            self._host.parts.remove(self)
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        while self._connections:
            await asyncio.sleep(0)

    def after_commit(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Answer what may be answered now."""
        others = self._service.receive_events(events)
        self._answer()
        return others

    # What connections call.

    def accept(self, connection: HttpConnection) -> bool:
        """Count a new connection, unless there are enough."""
        if len(self._connections) >= self.limits.most_connections:
            return False
        self._connections.add(connection)
        return True

    def identify(self, connection: HttpConnection, certificate: bytes) -> None:
        """Find out who calls; one who is nobody here is told so by each answer."""
        with contextlib.suppress(NotAuthorised):
            connection.caller = self._identification.name_in(certificate, APPLICATION, "client")
        if connection.caller is not None:
            self._of_each[connection.caller] += 1
            if self._of_each[connection.caller] > self.limits.most_connections_each:
                connection.abort()

    def submit(self, connection: HttpConnection, request: Request) -> None:
        """Ask the service when the key manager is free."""
        number = connection.number = next(self._numbers)
        self._under_way[number] = connection
        self._host.when_free(lambda: self._ask(connection, number, request))

    def forget(self, connection: HttpConnection) -> None:
        """Forget a connection; keys for its request are overwritten when they come."""
        self._connections.discard(connection)
        if connection.caller is not None:
            self._of_each[connection.caller] -= 1
            if not self._of_each[connection.caller]:
                del self._of_each[connection.caller]
        if connection.number >= 0:
            number = connection.number
            self._under_way.pop(number, None)
            self._host.when_free(lambda: self._abandon(number))

    def _ask(self, connection: HttpConnection, number: int, request: Request) -> None:
        if number not in self._under_way:
            return  # its connection is gone, and nothing was asked yet
        others_wait = self._service.awaits_keys
        self._service.receive_request(number, request, connection.caller, now_seconds=self._host.now_seconds())
        if self._service.needs_commit:
            self._host.commit_in_company() if others_wait else self._host.commit_soon()
        self._answer()

    def _abandon(self, number: int) -> None:
        self._service.abandon(number)
        if self._service.needs_commit:
            self._host.commit_soon()

    def _answer(self) -> None:
        for number, response in self._service.responses():
            connection = self._under_way.pop(number, None)
            if connection is None:
                response.clear()
            else:
                connection.respond(response)

    async def _sweep(self) -> None:
        """Give up the connections whose time is over."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for connection in [each for each in self._connections if each.deadline < now]:
                connection.abort()
