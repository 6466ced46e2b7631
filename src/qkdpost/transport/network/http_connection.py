"""One connection of an application: HTTP/1.1, one request at a time."""

from __future__ import annotations

import ssl
import time
from typing import Protocol

from qkdpost.network.etsi014 import Request, Response
from qkdpost.transport.network.limits import ServerLimits
from qkdpost.transport.network.odd_requests import NotHttp, OddRequest
from qkdpost.transport.network.plain_requests import PlainHead, plain_answer, read_plain_head
from qkdpost.transport.network.tls import TlsProtocol

__all__ = ["HttpConnection", "Server"]


class Server(Protocol):
    """What a connection needs of the service that it belongs to."""

    limits: ServerLimits
    longest_body_bytes: int

    def accept(self, connection: HttpConnection) -> bool:
        """Take note of a new connection; False to hang up."""

    def identify(self, connection: HttpConnection, certificate: bytes) -> None:
        """Set who calls, or close the connection."""

    def submit(self, connection: HttpConnection, request: Request) -> None:
        """Pass on a whole request."""

    def forget(self, connection: HttpConnection) -> None:
        """Let go of a connection that is gone, and of its request."""


class HttpConnection(TlsProtocol):
    """Reads requests and writes responses; what it holds is bounded by the limits, whatever comes.

    A request is of the plain form, or h11's: `_unread` holds the bytes of the first, `_odd` those of the other.

    Args:
        server: that it belongs to.
        context: of TLS.

    Attributes:
        caller: the application that the certificate names, if it names one.
        number: of the request under way; -1 if there is none.
    """

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        super().__init__(context, server_side=True, handshake_seconds=server.limits.handshake_seconds)
        self.caller: str | None = None
        self.number = -1
        self._server = server
        self._unread = bytearray()
        self._head: PlainHead | None = None
        self._odd: OddRequest | None = None
        self._passing_on = self._begun = False

    def accepted(self) -> bool:
        """Ask the server whether it has room."""
        return self._server.accept(self)

    def opened(self, certificate: bytes) -> None:
        """Find out who calls."""
        self._wait_for_request()
        self._server.identify(self, certificate)

    def received(self, data: bytes) -> None:
        """Take plain bytes; the first ones of a request start its time.

        Who sends more before the answer to its last request has left is read no further; most never do.
        """
        if self.number >= 0:
            self.hold_back(True)
        if not self._begun:
            self._begin_request()
        if self._odd is not None:
            self._odd.receive_data(data)
        else:
            self._unread += data
        self._read_requests()

    def lost(self) -> None:
        """Let the server forget this connection."""
        self._server.forget(self)

    def respond(self, response: Response) -> None:
        """Write the response to the request under way and overwrite it; go on with the next request."""
        self.number = -1
        data = plain_answer(response) if self._odd is None else self._odd.answer(response)
        response.clear()
        self.write(data)
        data[:] = bytes(len(data))
        if self._odd is not None:
            if not self._odd.goes_on:
                self.close()
                return
            self._unread, self._odd = bytearray(self._odd.rest), None
        self._wait_for_request()
        self.hold_back(False)
        if self._unread:
            self._begin_request()
            self._read_requests()

    def _wait_for_request(self) -> None:
        self._begun = False
        self.deadline = time.monotonic() + self._server.limits.idle_seconds

    def _begin_request(self) -> None:
        self._begun = True
        self.deadline = time.monotonic() + self._server.limits.request_seconds

    def _read_requests(self) -> None:
        """Pass requests on, in a loop, for any number may have come at once: each when the last one is answered."""
        if self._passing_on:
            return  # the loop that led here goes on
        self._passing_on = True
        try:
            while self.is_open and self.number < 0 and (request := self._next_request()) is not None:
                self.deadline = time.monotonic() + self._server.limits.answer_seconds
                self._server.submit(self, request)
        except NotHttp as error:
            self.write(error.answer)
            self.close()
        finally:
            self._passing_on = False

    def _next_request(self) -> Request | None:
        """Return the next request if it has come whole."""
        if self._odd is None and self._unread:
            request = self._plain_request()
            if request is not None or self._head is not None:
                return request
            self._odd = OddRequest(self._server.longest_body_bytes)
            self._odd.receive_data(self._unread)
            self._unread.clear()
        return None if self._odd is None else self._odd_request(self._odd)

    def _plain_request(self) -> Request | None:
        head = self._head or read_plain_head(self._unread)
        if head is None or head.body_bytes > self._server.longest_body_bytes:
            return None
        whole = head.head_bytes + head.body_bytes
        if len(self._unread) < whole:
            self._head = head
            return None
        body = bytes(self._unread[head.head_bytes : whole])
        del self._unread[:whole]
        self._head = None
        return Request(method=head.method, target=head.target, body=body)

    def _odd_request(self, odd: OddRequest) -> Request | None:
        request = odd.read()
        if request is None:
            self.write(odd.continuation())
        elif odd.is_cut:
            self.hold_back(True)
        return request
