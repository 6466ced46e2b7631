"""Key managers with HTTPS around them, in an event loop of another thread, and a blocking client."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from qkdpost.network import Etsi014
from qkdpost.network.etsi014 import DeliveryLimits, Request
from qkdpost.transport.network import EtsiServer, Identification, KeyManagerHost, ServerLimits, serve_etsi014
from support.certificates import Certificates, Issued
from support.etsi014_cases import Answer, Call

_Result = TypeVar("_Result")
SECONDS = 30.0


class Served:
    """Hosts and servers of some key managers, by name, as long as the context lasts."""

    def __init__(
        self,
        managers: Mapping[str, Any],
        folder: Path,
        *,
        limits: ServerLimits = ServerLimits(),  # noqa: B008 frozen
        delivery: DeliveryLimits = DeliveryLimits(),  # noqa: B008 frozen
        identification: Identification = Identification(),  # noqa: B008 frozen
        advance_seconds: float = 0.02,
        new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
    ) -> None:
        self.managers = dict(managers)
        self.certificates = Certificates(folder)
        self.servers: dict[str, EtsiServer] = {}
        self.hosts: dict[str, KeyManagerHost] = {}
        self.errors: list[dict[str, Any]] = []
        self._settings = (limits, delivery, identification, advance_seconds)
        self._loop = new_event_loop()
        self._loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for name in self.managers:
            self.run(self.start(name))
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.hosts):
            self.run(self.stop(name))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert not self.errors, self.errors

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine in the loop of the servers."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    def do(self, name: str, work: Callable[[Any], _Result]) -> _Result:
        """Use a key manager between two commits, and return the result when it is durable."""

        async def inside() -> _Result:
            return await self.hosts[name].call(lambda: work(self.managers[name]))

        return self.run(inside())

    async def start(self, name: str) -> None:
        limits, delivery, identification, advance_seconds = self._settings
        manager = self.managers[name]
        host = await KeyManagerHost(manager, advance_seconds=advance_seconds).__aenter__()
        self.hosts[name] = host
        self.servers[name] = await serve_etsi014(
            host,
            Etsi014(manager, delivery),
            "127.0.0.1",
            0,
            credentials=self.certificates.to_applications(name),
            identification=identification,
            limits=limits,
        )

    async def stop(self, name: str) -> None:
        await self.hosts.pop(name).aclose()
        del self.servers[name]

    def context(self, issued: Issued | None) -> ssl.SSLContext:
        """Return what a client needs that shows this certificate, or none."""
        context = ssl.create_default_context(cafile=self.certificates.key_managers.path)
        if issued is not None:
            context.load_cert_chain(issued.certificate, issued.private_key)
        return context

    def connect(self, caller: str, at: str) -> http.client.HTTPSConnection:
        context = self.context(self.certificates.application(caller))
        return http.client.HTTPSConnection("127.0.0.1", self.servers[at].port, context=context, timeout=SECONDS)


def exchange(connection: http.client.HTTPSConnection, request: Request) -> tuple[int, bytes]:
    """Send what a query of the client made, and return status and body: all that a driver has to do."""
    connection.request(request.method, request.target, request.body or None, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


def send_call(connection: http.client.HTTPSConnection, call: Call) -> Answer | None:
    """Send one request of a case; None if no HTTP answer comes."""
    try:
        connection.putrequest(call.method, call.path, skip_accept_encoding=True)
        for name, value in call.headers.items():
            connection.putheader(name, value)
        if call.body:
            connection.putheader("Content-Length", str(len(call.body)))
        connection.endheaders(call.body or None)
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
