"""ETSI GS QKD 014 v1.1.1: the delivery of keys to applications, as a service and as a client, without a socket.

`Etsi014` answers requests from a key manager; `transport.network.serve_etsi014` puts HTTPS around it. `StatusQuery`,
`KeyQuery` and `FetchQuery` build what an application sends, and read what it gets.
"""

from __future__ import annotations

from qkdpost.network.etsi014.answers import Status
from qkdpost.network.etsi014.client import FetchQuery, KeyQuery, StatusQuery
from qkdpost.network.etsi014.exchange import Request, Response
from qkdpost.network.etsi014.limits import DeliveryLimits
from qkdpost.network.etsi014.service import Etsi014

__all__ = [
    "DeliveryLimits",
    "Etsi014",
    "FetchQuery",
    "KeyQuery",
    "Request",
    "Response",
    "Status",
    "StatusQuery",
]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
