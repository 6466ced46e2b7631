"""An application's HTTP connection, read and answered by h11 alone: the twin of `transport.network.HttpConnection`."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import h11

from qkdpost.network.etsi014 import Request, Response

__all__ = ["HttpByH11"]


class HttpByH11:
    """Requests out of bytes in any pieces; each is answered at once.

    Args:
        answer: to a request.
        longest_body_bytes: longer ones are passed on cut, and nothing is read any more.
    """

    def __init__(self, answer: Callable[[Request], Response], longest_body_bytes: int) -> None:
        self.requests: list[Request] = []
        self.written = bytearray()
        self.is_open = True
        self._answer = answer
        self._longest_body_bytes = longest_body_bytes
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=16_384)
        self._head: h11.Request | None = None
        self._body = bytearray()

    def receive(self, data: bytes) -> None:
        if not self.is_open:
            return
        self._http.receive_data(data)
        try:
            while self.is_open and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(error)

    def _take(self, event: object) -> bool:
        if event is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._send(h11.InformationalResponse(status_code=100, headers=[]))
            return False
        if isinstance(event, h11.Request):
            self._head, self._body = event, bytearray()
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > self._longest_body_bytes:
                self._respond()
        elif isinstance(event, h11.EndOfMessage):
            self._respond()
        else:
            self.is_open = False
        return True

    def _respond(self) -> None:
        assert self._head is not None
        request = Request(method=self._head.method.decode(), target=self._head.target.decode(), body=bytes(self._body))
        self.requests.append(request)
        response = self._answer(request)
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        phrase = HTTPStatus(response.status).phrase
        self._send(h11.Response(status_code=response.status, headers=headers, reason=phrase))
        if self._head.method != b"HEAD":
            self._send(h11.Data(data=bytes(response.body)))
        self._send(h11.EndOfMessage())
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.is_open = False

    def _refuse(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("Content-Length", "0"), ("Connection", "close"), ("Cache-Control", "no-store")]
            self._send(h11.Response(status_code=error.error_status_hint, headers=headers))
            self._send(h11.EndOfMessage())
        self.is_open = False

    def _send(self, event: h11.Event) -> None:
        self.written += self._http.send(event) or b""
