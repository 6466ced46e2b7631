"""What a key manager reports, and what it hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from qkdpost.errors import QkdpostError
from qkdpost.network.provenance import Provenance

__all__ = [
    "DeliveredKey",
    "Event",
    "KeyExpired",
    "KeysReleased",
    "KeysVoided",
    "PeerDisagrees",
    "PoolFull",
    "PoolLow",
    "RequestRefused",
    "SegmentLost",
    "SegmentReady",
    "StoreFailed",
    "StoreRestored",
    "Ticket",
    "TransferFailed",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ticket:
    """A request for keys that has not been answered yet; one is equal to itself alone.

    Args:
        number: of the request, counted since this key manager was started.
        master: the application that asked.
        slaves: those that shall get the same keys.
        keys: how many were asked for.
        size_bits: of each.

    >>> from qkdpost import network
    >>> ticket = network.Ticket(number=1, master="SAE-A", slaves=("SAE-B",), keys=3, size_bits=256)
    >>> ticket.keys, ticket.slaves
    (3, ('SAE-B',))
    """

    number: int
    master: str
    slaves: tuple[str, ...]
    keys: int
    size_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredKey:
    """A key for an application.

    Args:
        key_id: its UUID, lower case; public.
        key: its bytes. Secret: whoever takes it overwrites it after use, with `erase`.
        extension: what is said of it, as plain values for JSON: `qkdpost_epsilon`, `qkdpost_trusted_nodes`,
            `qkdpost_kinds`.

    >>> from qkdpost import network
    >>> key = network.DeliveredKey(key_id="00000000-0000-4000-8000-000000000001", key=bytearray(32))
    >>> len(key.key)
    32
    """

    key_id: str
    key: bytearray = field(repr=False)
    extension: Mapping[str, Any] = field(default_factory=dict)

    def erase(self) -> None:
        """Overwrite the key with zeros; its length stays."""
        self.key[:] = bytes(len(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysReleased:
    """Every key manager of the slaves holds these keys durably; they are for the master of `ticket`.

    Args:
        ticket: of the request.
        keys: as many as were asked for, in the order of assignment. Secret.

    >>> from qkdpost import network
    >>> ticket = network.Ticket(number=1, master="SAE-A", slaves=("SAE-B",), keys=1, size_bits=256)
    >>> key = network.DeliveredKey(key_id="00000000-0000-4000-8000-000000000001", key=bytearray(32))
    >>> len(network.KeysReleased(ticket=ticket, keys=(key,)).keys)
    1
    """

    ticket: Ticket
    keys: tuple[DeliveredKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused:
    """A request got no key; what was assigned to it is void.

    Args:
        ticket: of the request.
        error: why, in the class that a caller would see.

    >>> import qkdpost as qp
    >>> from qkdpost import network
    >>> ticket = network.Ticket(number=1, master="SAE-A", slaves=("SAE-B",), keys=1, size_bits=256)
    >>> network.RequestRefused(ticket=ticket, error=qp.NotEnoughKey("too little key at present")).error
    NotEnoughKey('too little key at present')
    """

    ticket: Ticket
    error: QkdpostError


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLow:
    """Less than the low-water mark can be delivered to applications at `peer`.

    Args:
        peer: the key manager at the other end of the pool.
        deliverable_bits: what can be delivered there.

    >>> from qkdpost import network
    >>> network.PoolLow(peer="south", deliverable_bits=2048).deliverable_bits
    2048
    """

    peer: str
    deliverable_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFull:
    """The pool with `peer` holds more than four fifths of its quota; the newest key is refused when it is full.

    Args:
        peer: the key manager at the other end.
        stored_bits: what the pool holds.

    >>> from qkdpost import network
    >>> network.PoolFull(peer="south", stored_bits=500_000_000).peer
    'south'
    """

    peer: str
    stored_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReady:
    """Both ends hold a new segment of the pool with `peer`.

    Args:
        peer: the key manager at the other end.
        segment: its identifier, 16 bytes: that of a link's key, or of a transfer.
        length_bits: what the two directions share.
        provenance: what it rests on.

    >>> from qkdpost import network
    >>> event = network.SegmentReady(
    ...     peer="south", segment=bytes(16), length_bits=8192, provenance=network.Provenance(blocks=())
    ... )
    >>> event.length_bits
    8192
    """

    peer: str
    segment: bytes
    length_bits: int
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLost:
    """A segment of the pool with `peer` was not taken, or was given up with what was left of it.

    Args:
        peer: the key manager at the other end.
        segment: its identifier, 16 bytes.
        detail: why, and how much was left.

    >>> from qkdpost import network
    >>> network.SegmentLost(peer="south", segment=bytes(16), detail="the check failed").peer
    'south'
    """

    peer: str
    segment: bytes
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFailed:
    """A segment on its way over trusted nodes is void; of what was spent nothing is used again.

    Args:
        transfer: its identifier, 16 bytes.
        peer: the key manager at the other end of the pool that it was for.
        reason: why.
        paths: the whole path of each of its shares, both ends among them.

    >>> from qkdpost import network
    >>> network.TransferFailed(transfer=bytes(16), peer="south", reason="hop", paths=(("hut",),)).paths
    (('hut',),)
    """

    transfer: bytes
    peer: str
    reason: str
    paths: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExpired:
    """Nobody fetched these keys in time; they are erased.

    Args:
        master: the application that asked for them.
        slave: that which did not fetch them.
        key_ids: UUIDs.

    >>> from qkdpost import network
    >>> network.KeyExpired(master="SAE-A", slave="SAE-B", key_ids=("00000000-0000-4000-8000-000000000001",)).slave
    'SAE-B'
    """

    master: str
    slave: str
    key_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysVoided:
    """These keys are void and erased here.

    Args:
        peer: the key manager that assigned them; this one's own name where an operator took them back.
        key_ids: UUIDs.
        reason: why.
        delivered: whether an application of this site has some of them already.

    >>> from qkdpost import network
    >>> key_id = "00000000-0000-4000-8000-000000000001"
    >>> network.KeysVoided(peer="south", key_ids=(key_id,), reason="no answer").delivered
    False
    """

    peer: str
    key_ids: tuple[str, ...]
    reason: str
    delivered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDisagrees:
    """The connection to `peer` was broken, for its bytes do not fit this side's store.

    Args:
        peer: the key manager at the other end.
        detail: what does not fit.

    >>> from qkdpost import network
    >>> network.PeerDisagrees(peer="south", detail="another pool").peer
    'south'
    """

    peer: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRestored:
    """`peer` knows of more than this store, which must be an old one that was put back.

    No pad is used twice, but keys that were delivered are here again, and what was told since is forgotten.

    Args:
        peer: the key manager at the other end.
        detail: what it knows.

    >>> from qkdpost import network
    >>> network.StoreRestored(peer="south", detail="the peer knows of more").peer
    'south'
    """

    peer: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFailed:
    """A turn could not be made durable; nothing of it was told to anybody.

    Args:
        detail: what the store says.
        recovered: "reopened": the store was read again, every connection is broken, and the key manager goes on;
            "closed": it could not be opened, and every call raises `StoreUnavailable`.

    >>> from qkdpost import network
    >>> network.StoreFailed(detail="no room on the disk", recovered="reopened").recovered
    'reopened'
    """

    detail: str
    recovered: Literal["reopened", "closed"]


Event: TypeAlias = (
    KeysReleased
    | RequestRefused
    | PoolLow
    | PoolFull
    | SegmentReady
    | SegmentLost
    | TransferFailed
    | KeyExpired
    | KeysVoided
    | PeerDisagrees
    | StoreRestored
    | StoreFailed
)
