"""One connection of an application: HTTP/1.1 by h11, one request at a time."""

from __future__ import annotations

import ssl
import time
from http import HTTPStatus
from typing import Protocol

import h11

from qkdpost.network.etsi014 import Request, Response
from qkdpost.transport.network.limits import ServerLimits
from qkdpost.transport.network.tls import TlsProtocol

__all__ = ["HttpConnection", "Server"]

_MOST_HEADER_BYTES = 16_384


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
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEADER_BYTES)
        self._request: h11.Request | None = None
        self._body = b""
        self._read_on = True
        self._reading = self._begun = False

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
        self._http.receive_data(data)
        self._read_requests()

    def lost(self) -> None:
        """Let the server forget this connection."""
        self._server.forget(self)

    def respond(self, response: Response) -> None:
        """Write the response to the request under way and overwrite it; go on with the next request."""
        self.number = -1
        self.write_response(response)
        if self._http.our_state is not h11.DONE or not self._read_on:
            self.close()
            return
        self._http.start_next_cycle()
        self._request, self._body = None, b""
        self._wait_for_request()
        self.hold_back(False)
        if self._http.trailing_data[0]:
            self._begin_request()
            if not self._reading:  # else the loop that led here goes on
                self._read_requests()

    def write_response(self, response: Response) -> None:
        """Write a response in one piece, and overwrite it."""
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        head = h11.Response(status_code=response.status, headers=headers, reason=HTTPStatus(response.status).phrase)
        data = bytearray(self._sent(head))
        if self._request is None or self._request.method != b"HEAD":
            self._http.send_with_data_passthrough(h11.Data(data=response.body))  # type: ignore[arg-type]
            data += response.body
        self._http.send(h11.EndOfMessage())
        response.clear()
        self.write(data)
        data[:] = bytes(len(data))

    def _wait_for_request(self) -> None:
        self._begun = False
        self.deadline = time.monotonic() + self._server.limits.idle_seconds

    def _begin_request(self) -> None:
        self._begun = True
        self.deadline = time.monotonic() + self._server.limits.request_seconds

    def _read_requests(self) -> None:
        """Take what h11 makes of the bytes: in a loop, for any number of requests may have come at once."""
        self._reading = True
        try:
            while self.is_open and self._read_on and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(error)
        finally:
            self._reading = False

    def _take(self, event: object) -> bool:
        """Take one event; False if more bytes must come, or an answer must leave first."""
        if event is h11.NEED_DATA:
            self._continue_if_asked()
            return False
        if event is h11.PAUSED:
            return False
        if isinstance(event, h11.Request):
            self._request = event
        elif isinstance(event, h11.Data):
            self._body += bytes(event.data)
            if len(self._body) > self._server.longest_body_bytes:
                self._read_on = False
                self._submit()
        elif isinstance(event, h11.EndOfMessage):
            self._submit()
        else:
            self.close()
        return True

    def _submit(self) -> None:
        """Pass the request on. One that is too long goes on as far as it was read: what follows is not read at all."""
        head = self._request
        if head is None:
            return
        self.deadline = time.monotonic() + self._server.limits.answer_seconds
        if not self._read_on:
            self.hold_back(True)
        target = head.target.decode("latin-1")
        self._server.submit(self, Request(method=head.method.decode("ascii"), target=target, body=self._body))

    def _continue_if_asked(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            self.write(self._sent(h11.InformationalResponse(status_code=100, headers=[])))

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        """Answer what is no HTTP, if that can still be done, and close."""
        if self.number < 0 and self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            head = h11.Response(
                status_code=error.error_status_hint,
                headers=[("Content-Length", "0"), ("Connection", "close"), ("Cache-Control", "no-store")],
            )
            self.write(self._sent(head) + self._sent(h11.EndOfMessage()))
        self.close()

    def _sent(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""
