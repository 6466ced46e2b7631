"""Requests of the plain form are read as h11 reads them, and all others by h11: whatever comes, in whatever pieces."""

from __future__ import annotations

import random
import ssl
import sys
from typing import Any

import pytest

from qkdpost.network.etsi014 import Request, Response
from qkdpost.transport.network.http_connection import HttpConnection
from qkdpost.transport.network.limits import ServerLimits
from qkdpost.transport.network.plain_requests import LONGEST_PLAIN_HEAD_BYTES, read_plain_head
from reference.http_by_h11 import HttpByH11

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
LONGEST_BODY_BYTES = 200
HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
LENGTHS = [1, 100, 2000, 5000]
STATUSES = (200, 400, 401, 404, 405, 413, 503)


def shown(request: Request) -> tuple[str, str, bytes]:
    """Return what was read. Of a body that is too long, how far it was read hangs on the pieces in which it came."""
    return request.method, request.target, request.body[: LONGEST_BODY_BYTES + 1]


def answer(request: Request) -> Response:
    """Answer what shows how the request was read, with one status or another."""
    told = repr(shown(request)).encode()
    return Response(STATUSES[len(told) % len(STATUSES)], bytearray(told), HEADERS)


class Server:
    """A service that answers at once, or when told to."""

    def __init__(self, at_once: bool) -> None:
        self.limits = ServerLimits()
        self.longest_body_bytes = LONGEST_BODY_BYTES
        self.requests: list[Request] = []
        self.waiting: list[Request] = []
        self._at_once = at_once

    def accept(self, connection: HttpConnection) -> bool:
        return True

    def identify(self, connection: HttpConnection, certificate: bytes) -> None:
        pass

    def submit(self, connection: HttpConnection, request: Request) -> None:
        connection.number = len(self.requests)
        self.requests.append(request)
        if self._at_once:
            connection.respond(answer(request))
        else:
            self.waiting.append(request)

    def forget(self, connection: HttpConnection) -> None:
        pass


class Bare(HttpConnection):
    """A connection without TLS or a socket."""

    def __init__(self, server: Any) -> None:
        super().__init__(server, CONTEXT)
        self.written = bytearray()
        self._open = True

    def write(self, data: bytes | bytearray) -> None:
        self.written += data

    def close(self) -> None:
        self._open = False

    def receive(self, data: bytes, draw: random.Random) -> None:
        """Take a piece; what waits for an answer gets it now, or after a later piece."""
        if self.is_open:
            self.received(data)
        if draw.random() < 0.7:
            self.answer_all()

    def answer_all(self) -> None:
        server: Any = self._server
        while server.waiting:
            self.respond(answer(server.waiting.pop(0)))


def one_of(draw: random.Random, *choices: bytes) -> bytes:
    return draw.choice(choices)


def drawn_field(draw: random.Random) -> bytes:
    name, value = draw.choice(
        [
            (b"Content-Type", b"application/json"),
            (b"Accept", b"*/*"),
            (b"User-Agent", b"some client/1.0 (any \t machine)"),
            (b"Accept-Encoding", b"gzip, deflate"),
            (b"Connection", b"keep-alive"),
            (b"Connection", b"Keep-Alive"),
            (b"Connection", b"close"),
            (b"Connection", b"upgrade"),
            (b"Upgrade", b"websocket"),
            (b"Expect", b"100-continue"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Content-Length", b"0"),
            (b"Content-Length", b"5, 5"),
            (b"Host", b"another"),
            (b"X-Own", b"v\xc3\xa4lue"),
            (b"Accept-Language", b""),
            (b"Pragma", b"x" * draw.choice(LENGTHS)),
        ]
    )
    if draw.random() < 0.2:
        name = one_of(draw, name.lower(), name.upper())
    return name + b":" + one_of(draw, b" ", b"", b"\t ", b"  ") + value + one_of(draw, b"", b"", b" ", b"\t")


def drawn_request(draw: random.Random) -> bytes:
    """Return a request as clients send it, with something odd in it now and then."""
    line = one_of(draw, b"GET", b"POST", b"POST", b"HEAD" if draw.random() < 0.2 else b"GET")
    line += b" " + one_of(
        draw, b"/api/v1/keys/SAE-B/status", b"/a?number=3&size=256", b"*", b"/%C3%A4", b"http://kme/x"
    )
    line += b" " + (b"HTTP/1.1" if draw.random() < 0.95 else one_of(draw, b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.12"))
    body = draw.randbytes(draw.choice([0, 0, 1, 5, 60, LONGEST_BODY_BYTES, LONGEST_BODY_BYTES + 1, 300]))
    fields = [b"Host: kme"] if draw.random() < 0.97 else []
    if body or draw.random() < 0.3:
        fields.append(b"Content-Length: %s%d" % (one_of(draw, b"", b"", b"", b"00"), len(body)))
    fields += [drawn_field(draw) for _ in range(draw.choice([0, 0, 1, 2, 3]))]
    draw.shuffle(fields)
    end = b"\r\n" if draw.random() < 0.95 else b"\n"
    return end.join([line, *fields, b"", b""]) + body


def damaged(draw: random.Random, data: bytes) -> bytes:
    """Change, repeat or leave out a few bytes."""
    for _ in range(draw.choice([0, 0, 0, 1, 1, 3])):
        place = draw.randrange(len(data) + 1)
        put = one_of(draw, b"", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b"\x00", draw.randbytes(1))
        data = data[:place] + put + data[place + draw.choice([0, 1, 1, 2]) :]
    return data


def pieces_of(draw: random.Random, data: bytes) -> list[bytes]:
    places = sorted(draw.randrange(len(data) + 1) for _ in range(draw.choice([0, 0, 1, 2, 5, 40])))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True) if start < end]


def told(written: bytearray) -> bytes:
    """Return what was answered. Who waits for an earlier answer may have sent all before it could be told to go on."""
    return written.replace(b"HTTP/1.1 100 \r\n\r\n", b"")


@pytest.mark.parametrize("count", [1000, pytest.param(300_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
def test_every_stream_of_bytes_is_read_and_answered_as_by_h11_alone(
    count: int, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if at_once:  # a head of this length is refused where it is seen before its end: that hangs on who waits for what
        monkeypatch.setattr(sys.modules[__name__], "LENGTHS", [*LENGTHS, 20_000])
    draw = random.Random(14)
    plain = 0
    for _ in range(count):
        sent = damaged(draw, b"".join(drawn_request(draw) for _ in range(draw.choice([1, 1, 2, 4]))))
        twin, server = HttpByH11(answer, LONGEST_BODY_BYTES), Server(at_once)
        connection = Bare(server)
        for piece in pieces_of(draw, sent):
            twin.receive(piece)
            connection.receive(piece, draw)
        connection.answer_all()
        assert list(map(shown, server.requests)) == list(map(shown, twin.requests)), sent
        assert told(connection.written) == told(twin.written), sent
        assert connection.is_open == twin.is_open, sent
        plain += read_plain_head(sent) is not None
    assert count / 5 < plain < count  # both ways were gone


USUAL = {
    "curl": b"GET /api/v1/keys/B/status HTTP/1.1\r\nHost: kme:443\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
    "curl with a body": b"POST /api/v1/keys/B/enc_keys HTTP/1.1\r\nHost: kme\r\nUser-Agent: curl/7.88.1\r\n"
    b"Accept: */*\r\nContent-Length: 2\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n",
    "requests": b"POST /api/v1/keys/B/enc_keys HTTP/1.1\r\nHost: kme\r\nUser-Agent: python-requests/2.32\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Length: 12\r\n"
    b"Content-Type: application/json\r\n\r\n",
    "Go": b"GET /api/v1/keys/B/dec_keys?key_ID=x HTTP/1.1\r\nHost: kme\r\nUser-Agent: Go-http-client/1.1\r\n"
    b"Accept-Encoding: gzip\r\n\r\n",
}


@pytest.mark.parametrize("client", USUAL)
def test_what_the_usual_clients_send_is_of_the_plain_form(client: str) -> None:
    head = read_plain_head(USUAL[client] + b"what follows")
    assert head is not None
    assert head.head_bytes == len(USUAL[client])


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \xb2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nContent-Length: 3\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"a" * LONGEST_PLAIN_HEAD_BYTES + b"\r\n\r\n",
    ],
)
def test_what_differs_from_the_plain_form_is_left_to_h11(head: bytes) -> None:
    assert read_plain_head(head) is None
