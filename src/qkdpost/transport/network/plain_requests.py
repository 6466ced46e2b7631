"""Requests in the form that clients of ETSI GS QKD 014 send, read and answered without h11.

h11 knows all of HTTP/1.1, and takes 90 to 100 us of one core for a request and its answer: more than TLS, the key
manager and the event loop need together, and alone more than half of what there is at 6,000 requests a second. What
clients send is nearly always one form: GET or POST, a few fields known below, each once and on one line of printable
ASCII, and a body of known length. `read_plain_head` reads that form in some 5 us, and h11 (`odd_requests`) gets every
request that differs from it in anything: another method or version, another or a repeated field, `Transfer-Encoding`,
`Expect`, `Connection: close`, a folded line, a bare line feed, a head that has not come whole.

So there are no rules here of what is wrong. Whatever h11 would refuse is not of this form, and of this form both read
the same: the fields decide nothing but where the body ends, and `Content-Length` stands there once, in digits alone.
Tests hold both against each other, for requests that are drawn and damaged at random, in pieces of any length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from qkdpost.network.etsi014 import Response

__all__ = ["LONGEST_PLAIN_HEAD_BYTES", "PlainHead", "plain_answer", "read_plain_head"]

LONGEST_PLAIN_HEAD_BYTES = 4096

_REQUEST_LINE = re.compile(rb"(GET|POST) ([!-~]+) HTTP/1\.1")
_FIELD_LINE = re.compile(rb"([A-Za-z-]+):[ \t]*([!-~]+(?:[ \t]+[!-~]+)*)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,9}")
_PLAIN_FIELDS = frozenset(
    {b"host", b"content-length", b"content-type", b"connection", b"accept", b"accept-encoding", b"accept-language"}
    | {b"user-agent", b"cache-control", b"pragma"}
)


class PlainHead(NamedTuple):
    """The head of a request.

    Args:
        method: "GET" or "POST".
        target: path and query.
        head_bytes: how long it is, the empty line included.
        body_bytes: how long the body is that follows.
    """

    method: str
    target: str
    head_bytes: int
    body_bytes: int


def read_plain_head(data: bytes | bytearray) -> PlainHead | None:
    """Return the head that bytes begin with, or None if it is not whole or not of the plain form."""
    end = data.find(b"\r\n\r\n", 0, LONGEST_PLAIN_HEAD_BYTES)
    return None if end < 0 else _read_head(bytes(data[:end]))


@lru_cache(maxsize=256)
def _read_head(text: bytes) -> PlainHead | None:
    """Read the lines of a head; one client sends the same ones again and again."""
    first, *others = text.split(b"\r\n")
    request = _REQUEST_LINE.fullmatch(first)
    fields = _plain_fields(others)
    if request is None or fields is None or b"host" not in fields:
        return None
    length = fields.get(b"content-length", b"0")
    if not _LENGTH.fullmatch(length) or fields.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    method, target = request.groups()
    return PlainHead(method.decode("ascii"), target.decode("ascii"), len(text) + 4, int(length))


def _plain_fields(lines: list[bytes]) -> dict[bytes, bytes] | None:
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            return None
        name = field[1].lower()
        if name not in _PLAIN_FIELDS or name in fields:
            return None
        fields[name] = field[2]
    return fields


def plain_answer(response: Response) -> bytearray:
    """Return a response as bytes, head and body in one piece; secret where the body is."""
    data = bytearray(
        b"%sContent-Length: %d\r\n\r\n" % (_answer_head(response.status, response.headers), len(response.body))
    )
    data += response.body
    return data


@lru_cache(maxsize=64)
def _answer_head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers), ""]
    return "\r\n".join(lines).encode("ascii")
