"""From a link's key to an application's key: stores, relaying over trusted nodes, delivery.

A vendor mounts `KeyManager` at each site, gives it the keys of its links, connects it to its peers and lets
applications ask it for keys that are equal at both ends.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qkdpost.network.accounts import Account, PoolAccount
    from qkdpost.network.epsilon import EpsilonBound, epsilon_bound
    from qkdpost.network.etsi014 import DeliveryLimits, Etsi014
    from qkdpost.network.events import (
        DeliveredKey,
        KeyExpired,
        KeysReleased,
        KeysVoided,
        PeerDisagrees,
        PoolFull,
        PoolLow,
        RequestRefused,
        SegmentReady,
        StoreFailed,
        Ticket,
        TransferFailed,
    )
    from qkdpost.network.policy import AccessPolicy, DeliveryPolicy, KeyRequirements, Lifetimes, Quota
    from qkdpost.network.provenance import Block, Provenance
    from qkdpost.network.service import KeyService, Stock

_HOMES = {
    "AccessPolicy": "policy",
    "Account": "accounts",
    "Block": "provenance",
    "DeliveredKey": "events",
    "DeliveryLimits": "etsi014",
    "DeliveryPolicy": "policy",
    "EpsilonBound": "epsilon",
    "Etsi014": "etsi014",
    "KeyExpired": "events",
    "KeyRequirements": "policy",
    "KeyService": "service",
    "KeysReleased": "events",
    "KeysVoided": "events",
    "Lifetimes": "policy",
    "PeerDisagrees": "events",
    "PoolAccount": "accounts",
    "PoolFull": "events",
    "PoolLow": "events",
    "Provenance": "provenance",
    "Quota": "policy",
    "RequestRefused": "events",
    "SegmentReady": "events",
    "Stock": "service",
    "StoreFailed": "events",
    "Ticket": "events",
    "TransferFailed": "events",
    "epsilon_bound": "epsilon",
}

__all__ = [
    "AccessPolicy",
    "Account",
    "Block",
    "DeliveredKey",
    "DeliveryLimits",
    "DeliveryPolicy",
    "EpsilonBound",
    "Etsi014",
    "KeyExpired",
    "KeyRequirements",
    "KeyService",
    "KeysReleased",
    "KeysVoided",
    "Lifetimes",
    "PeerDisagrees",
    "PoolAccount",
    "PoolFull",
    "PoolLow",
    "Provenance",
    "Quota",
    "RequestRefused",
    "SegmentReady",
    "Stock",
    "StoreFailed",
    "Ticket",
    "TransferFailed",
    "epsilon_bound",
]


def __getattr__(name: str) -> Any:
    """Load a part when a name of it is first used: some need packages that not everybody has."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
