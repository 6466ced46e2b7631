"""One request and one response, as HTTP has them but without any of its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qkdpost.single_use import SingleUse

__all__ = ["MISSING_KEYS", "RefusedRequest", "Request", "Response"]

MISSING_KEYS = "one or more keys specified are not found on KME"
"""Prescribed by clause 6.5 for a key ID that is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an application asks.

    Args:
        method: of HTTP, upper case.
        target: path and query as they stand in the request line, percent-encoded.
        body: the whole body; empty if there is none.

    >>> from qkdpost.network import etsi014
    >>> etsi014.Request(method="GET", target="/api/v1/keys/SAE-B/status").target
    '/api/v1/keys/SAE-B/status'
    """

    method: str
    target: str
    body: bytes = b""


class Response(SingleUse):
    """What it is answered.

    Args:
        status: the status code of HTTP.
        body: JSON. Secret where it holds keys: call `clear` when it has been written.
        headers: fields besides `Content-Length`, which the driver adds.

    >>> from qkdpost.network import etsi014
    >>> etsi014.Response(200, bytearray(b"{}"), ()).status
    200
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytearray, headers: tuple[tuple[str, str], ...]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    def clear(self) -> None:
        """Overwrite the body with zeros."""
        self.body[:] = bytes(len(self.body))

    def __repr__(self) -> str:
        return f"Response(status={self.status}, body of {len(self.body)} bytes)"


@dataclass(slots=True)
class RefusedRequest(Exception):
    """A request that is answered by an Error: its status, message, details and the methods that are allowed."""

    status: int
    message: str
    details: list[Mapping[str, Any]] = field(default_factory=list)
    allow: str = ""
