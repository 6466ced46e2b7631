"""Requests in any form that HTTP/1.1 has, read and answered by h11; see `plain_requests` for those that most send."""

from __future__ import annotations

from http import HTTPStatus

import h11

from qkdpost.network.etsi014 import Request, Response

__all__ = ["MOST_HEADER_BYTES", "NotHttp", "OddRequest"]

MOST_HEADER_BYTES = 16_384


class NotHttp(Exception):
    """What came is no HTTP. `answer` is what can still be told, perhaps nothing; then the connection ends."""

    def __init__(self, answer: bytes) -> None:
        super().__init__("what came is no HTTP")
        self.answer = answer


class OddRequest:
    """One request on its way in, and the answer to it on its way out.

    Args:
        longest_body_bytes: of a request. A longer one is passed on as far as it was read: what follows is not read.

    Attributes:
        is_cut: whether the body was too long.
        rest: after the answer, what had come behind the request.
    """

    def __init__(self, longest_body_bytes: int) -> None:
        self.is_cut = False
        self._longest_body_bytes = longest_body_bytes
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEADER_BYTES)
        self._head: h11.Request | None = None
        self._body = bytearray()

    @property
    def rest(self) -> bytes:
        """What came behind the request."""
        return self._http.trailing_data[0]

    @property
    def goes_on(self) -> bool:
        """Whether another request may follow, once this one is answered."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def receive_data(self, data: bytes | bytearray) -> None:
        """Take bytes, those of later requests among them."""
        self._http.receive_data(bytes(data))

    def read(self) -> Request | None:
        """Return the request when it has come whole, or too long; once.

        Raises:
            NotHttp: it is none.
        """
        try:
            while not self.is_cut:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return None
                if isinstance(event, h11.Request):
                    self._head = event
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    self.is_cut = len(self._body) > self._longest_body_bytes
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    raise NotHttp(b"")
        except h11.RemoteProtocolError as error:
            raise NotHttp(self._refusal(error)) from None
        return self._request()

    def continuation(self) -> bytes:
        """Return what tells a client to go on that waits to be told so; nothing for others."""
        if not self._http.they_are_waiting_for_100_continue:
            return b""
        return self._sent(h11.InformationalResponse(status_code=100, headers=[]))

    def answer(self, response: Response) -> bytearray:
        """Return a response as bytes, head and body in one piece; secret where the body is."""
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        head = h11.Response(status_code=response.status, headers=headers, reason=HTTPStatus(response.status).phrase)
        data = bytearray(self._sent(head))
        if self._head is None or self._head.method != b"HEAD":
            self._http.send_with_data_passthrough(h11.Data(data=response.body))  # type: ignore[arg-type]
            data += response.body
        self._http.send(h11.EndOfMessage())
        return data

    def _request(self) -> Request | None:
        head = self._head
        if head is None:
            return None
        target = head.target.decode("latin-1")
        return Request(method=head.method.decode("ascii"), target=target, body=bytes(self._body))

    def _refusal(self, error: h11.RemoteProtocolError) -> bytes:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return b""
        head = h11.Response(
            status_code=error.error_status_hint,
            headers=[("Content-Length", "0"), ("Connection", "close"), ("Cache-Control", "no-store")],
        )
        return self._sent(head) + self._sent(h11.EndOfMessage())

    def _sent(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""
