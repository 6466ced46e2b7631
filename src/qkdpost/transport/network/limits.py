"""How long a server waits and how many it serves."""

from __future__ import annotations

from qkdpost.checks import Settings, keep, real_number, whole_number
from qkdpost.errors import ConfigurationError

__all__ = ["ServerLimits"]

_MOST_SECONDS = 86_400.0


class ServerLimits(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one server of applications grants to all who connect.

    Args:
        idle_seconds: how long a connection is kept between requests. Keep it longer than clients do, which is 90 s in
            the usual ones: whoever sends a request on a connection that was just closed may repeat it, and a GET that
            is repeated consumes another key.
        handshake_seconds: in which the handshake of TLS must be over.
        request_seconds: in which a request must be whole, from its first byte on.
        answer_seconds: in which it must be answered, else the connection is closed; longer than the key manager waits.
        most_connections: at the same time, those that shake hands among them.
        most_connections_each: of one application.

    Raises:
        ConfigurationError: a limit out of range.

    >>> from qkdpost import transport
    >>> transport.network.ServerLimits(most_connections=100).most_connections
    100
    """

    idle_seconds: float = 180.0
    handshake_seconds: float = 10.0
    request_seconds: float = 10.0
    answer_seconds: float = 30.0
    most_connections: int = 4096
    most_connections_each: int = 256

    def __post_init__(self) -> None:
        for name in ("idle_seconds", "handshake_seconds", "request_seconds", "answer_seconds"):
            value = real_number(name, getattr(self, name), above=0.0, most=_MOST_SECONDS, error=ConfigurationError)
            keep(self, name, value)
        for name in ("most_connections", "most_connections_each"):
            value = whole_number(name, getattr(self, name), least=1, most=10**6, error=ConfigurationError)
            keep(self, name, value)
