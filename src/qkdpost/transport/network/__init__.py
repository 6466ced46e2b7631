"""Drivers of key managers: one asyncio loop around a key manager, its peers and its applications.

`KeyManagerHost` owns a key manager; `serve_peers` and `connect_peer` join it to others, `serve_etsi014` serves
applications. They need the packages h11 and cryptography: `pip install "qkdpost[network]"`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qkdpost.transport.network.certificates import Credentials, Identification
    from qkdpost.transport.network.https import EtsiServer, serve_etsi014
    from qkdpost.transport.network.limits import ServerLimits
    from qkdpost.transport.network.peers import PeerDialler, PeerServer, Reconnection, connect_peer, serve_peers
    from qkdpost.transport.network.turns import KeyManagerHost

_HOMES = {
    "Credentials": "certificates",
    "EtsiServer": "https",
    "Identification": "certificates",
    "KeyManagerHost": "turns",
    "PeerDialler": "peers",
    "PeerServer": "peers",
    "Reconnection": "peers",
    "ServerLimits": "limits",
    "connect_peer": "peers",
    "serve_etsi014": "https",
    "serve_peers": "peers",
}
_PACKAGES = ("cryptography", "h11")

__all__ = [
    "Credentials",
    "EtsiServer",
    "Identification",
    "KeyManagerHost",
    "PeerDialler",
    "PeerServer",
    "Reconnection",
    "ServerLimits",
    "connect_peer",
    "serve_etsi014",
    "serve_peers",
]


if not TYPE_CHECKING:  # to type checkers a name that is not written above does not exist, so that they refuse typos

    def __getattr__(name: str) -> Any:
        """Load a driver when a name of it is first used, and say what to install where a package is missing."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] not in _PACKAGES:
                raise
            raise ModuleNotFoundError(
                f"{__name__}.{name} needs the package {error.name.split('.')[0]}, which the extra `network` has: "
                'pip install "qkdpost[network]"',
                name=error.name,
            ) from error
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
