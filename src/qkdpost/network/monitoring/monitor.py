"""What an operator sees of a key manager beside its events: lines of a log, and numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypeAlias

from qkdpost.network.accounts import Account
from qkdpost.network.events import (
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
    TransferFailed,
)

__all__ = ["Monitor", "Number"]

_LOG = logging.getLogger("qkdpost.network")

Number: TypeAlias = int | float

_COUNTED: dict[type[Event], str] = {
    KeysReleased: "key_requests_released_total",
    RequestRefused: "key_requests_refused_total",
    PoolLow: "pool_low_total",
    PoolFull: "pool_full_total",
    SegmentReady: "segments_ready_total",
    SegmentLost: "segments_lost_total",
    TransferFailed: "transfers_failed_total",
    KeyExpired: "keys_expired_total",
    KeysVoided: "keys_voided_total",
    PeerDisagrees: "peer_disagreements_total",
    StoreRestored: "stores_restored_total",
    StoreFailed: "store_failures_total",
}
_RELEASED_KEYS, _RELEASED_BITS = "keys_released_total", "key_bits_released_total"


class Monitor:
    """Counts and logs the events of durable turns; keys and their bytes are in neither.

    Args:
        name: of the key manager.
    """

    __slots__ = ("_counts", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._counts = dict.fromkeys((*_COUNTED.values(), _RELEASED_KEYS, _RELEASED_BITS), 0)

    def note(self, events: Iterable[Event]) -> None:
        """Take events as they are told."""
        counts = self._counts
        for event in events:
            kind = type(event)
            counts[_COUNTED[kind]] += len(event.key_ids) if isinstance(event, KeyExpired | KeysVoided) else 1
            if isinstance(event, KeysReleased):
                counts[_RELEASED_KEYS] += len(event.keys)
                counts[_RELEASED_BITS] += len(event.keys) * event.ticket.size_bits
            if _LOG.isEnabledFor(logging.WARNING):
                self._log(event)

    def metrics(self, account: Account, turns: int) -> dict[str, Number]:
        """Return all numbers; those of a pool have its peer in their name, as `name{peer="kbh-3"}`."""
        told: dict[str, Number] = {**self._counts, "turns_total": turns, "waiting_keys": account.waiting_keys}
        for pool in account.pools:
            label = f'{{peer="{pool.peer}"}}'
            told[f"pool_stored_bits{label}"] = pool.stored_bits
            for source, bits in pool.received.items():
                told[f"received_{source}_bits_total{label}"] = bits
            for use, bits in pool.spent.items():
                told[f"spent_{use}_bits_total{label}"] = bits
        return told

    def _log(self, event: Event) -> None:
        name = self._name
        match event:
            case KeysReleased():
                _LOG.info("%s: %d keys of %d bits released", name, len(event.keys), event.ticket.size_bits)
            case RequestRefused():
                _LOG.warning("%s: a request was refused: %s: %s", name, type(event.error).__name__, event.error)
            case PoolLow():
                _LOG.warning("%s: pool with %s runs low: %d bits left", name, event.peer, event.deliverable_bits)
            case PoolFull():
                _LOG.warning("%s: pool with %s is nearly full: %d bits", name, event.peer, event.stored_bits)
            case SegmentReady():
                _LOG.info("%s: new segment with %s: %d bits", name, event.peer, event.length_bits)
            case SegmentLost():
                _LOG.warning("%s: a segment with %s was lost: %s", name, event.peer, event.detail)
            case TransferFailed():
                _LOG.warning("%s: a transfer to %s failed: %s", name, event.peer, event.reason)
            case KeyExpired():
                _LOG.warning("%s: %s did not fetch %d keys in time", name, event.slave, len(event.key_ids))
            case KeysVoided():
                _LOG.warning("%s: %d keys of %s are void: %s", name, len(event.key_ids), event.peer, event.reason)
            case PeerDisagrees() | StoreRestored():
                _LOG.warning("%s: %s: %s: %s", name, type(event).__name__, event.peer, event.detail)
            case StoreFailed():
                _LOG.error("%s: a turn was lost, the store is %s: %s", name, event.recovered, event.detail)
