"""From a link's key to an application's key: stores, relaying over trusted nodes, delivery.

A vendor mounts `KeyManager` at each site, gives it the keys of its links, connects it to its peers and lets
applications ask it for keys that are equal at both ends. `docs/network.md` shows how, `KeyManager` is where to begin;
an application's side of the delivery interface is in `etsi014`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qkdpost.network import combination, etsi014
    from qkdpost.network.accounts import Account, PoolAccount
    from qkdpost.network.combination import CombinationContext, combine_secrets
    from qkdpost.network.epsilon import EpsilonBound, epsilon_bound
    from qkdpost.network.etsi014 import DeliveryLimits, Etsi014
    from qkdpost.network.events import (
        DeliveredKey,
        Event,
        KeyExpired,
        KeysReleased,
        KeysVoided,
        PeerDisagrees,
        PoolFull,
        PoolLow,
        RequestRefused,
        SegmentLost,
        SegmentReady,
        StoreFailed,
        StoreRestored,
        Ticket,
        TransferFailed,
    )
    from qkdpost.network.manager import KeyManager
    from qkdpost.network.peer.session import PeerSession
    from qkdpost.network.policy import AccessPolicy, DeliveryPolicy, KeyRequirements, Lifetimes, Quota
    from qkdpost.network.pool.settings import PoolSettings
    from qkdpost.network.provenance import Block, CheckCount, Path, Provenance, Transfer
    from qkdpost.network.relay.policy import PairRule, RelayPolicy
    from qkdpost.network.relay.topology import Link, Site, Topology
    from qkdpost.network.service import KeyService, Stock
    from qkdpost.network.sources import Etsi014Interface, ForeignCopy, ForeignSource, VendorInterface
    from qkdpost.network.store import (
        AesGcmSealer,
        KeyStore,
        MemoryStore,
        MonotonicCounter,
        NoSealer,
        Sealer,
        SqliteStore,
    )

_ROOMS = ("combination", "etsi014")
_HOMES = {
    "AccessPolicy": "policy",
    "Account": "accounts",
    "AesGcmSealer": "store",
    "Block": "provenance",
    "CheckCount": "provenance",
    "CombinationContext": "combination",
    "DeliveredKey": "events",
    "DeliveryLimits": "etsi014",
    "DeliveryPolicy": "policy",
    "EpsilonBound": "epsilon",
    "Etsi014": "etsi014",
    "Etsi014Interface": "sources",
    "Event": "events",
    "ForeignCopy": "sources",
    "ForeignSource": "sources",
    "KeyExpired": "events",
    "KeyManager": "manager",
    "KeyRequirements": "policy",
    "KeyService": "service",
    "KeyStore": "store",
    "KeysReleased": "events",
    "KeysVoided": "events",
    "Lifetimes": "policy",
    "Link": "relay.topology",
    "MemoryStore": "store",
    "MonotonicCounter": "store",
    "NoSealer": "store",
    "PairRule": "relay.policy",
    "Path": "provenance",
    "PeerDisagrees": "events",
    "PeerSession": "peer.session",
    "PoolAccount": "accounts",
    "PoolFull": "events",
    "PoolLow": "events",
    "PoolSettings": "pool.settings",
    "Provenance": "provenance",
    "Quota": "policy",
    "RelayPolicy": "relay.policy",
    "RequestRefused": "events",
    "Sealer": "store",
    "SegmentLost": "events",
    "SegmentReady": "events",
    "Site": "relay.topology",
    "SqliteStore": "store",
    "Stock": "service",
    "StoreFailed": "events",
    "StoreRestored": "events",
    "Ticket": "events",
    "Topology": "relay.topology",
    "Transfer": "provenance",
    "TransferFailed": "events",
    "VendorInterface": "sources",
    "combine_secrets": "combination",
    "epsilon_bound": "epsilon",
}

__all__ = [
    "AccessPolicy",
    "Account",
    "AesGcmSealer",
    "Block",
    "CheckCount",
    "CombinationContext",
    "DeliveredKey",
    "DeliveryLimits",
    "DeliveryPolicy",
    "EpsilonBound",
    "Etsi014",
    "Etsi014Interface",
    "Event",
    "ForeignCopy",
    "ForeignSource",
    "KeyExpired",
    "KeyManager",
    "KeyRequirements",
    "KeyService",
    "KeyStore",
    "KeysReleased",
    "KeysVoided",
    "Lifetimes",
    "Link",
    "MemoryStore",
    "MonotonicCounter",
    "NoSealer",
    "PairRule",
    "Path",
    "PeerDisagrees",
    "PeerSession",
    "PoolAccount",
    "PoolFull",
    "PoolLow",
    "PoolSettings",
    "Provenance",
    "Quota",
    "RelayPolicy",
    "RequestRefused",
    "Sealer",
    "SegmentLost",
    "SegmentReady",
    "Site",
    "SqliteStore",
    "Stock",
    "StoreFailed",
    "StoreRestored",
    "Ticket",
    "Topology",
    "Transfer",
    "TransferFailed",
    "VendorInterface",
    "combination",
    "combine_secrets",
    "epsilon_bound",
    "etsi014",
]


if not TYPE_CHECKING:  # to type checkers a name that is not written above does not exist, so that they refuse typos

    def __getattr__(name: str) -> Any:
        """Load a part when a name of it is first used: some need packages that not everybody has."""
        if name in _ROOMS:
            return import_module(f"{__name__}.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
