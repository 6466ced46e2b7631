"""What a session reports to the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from qkdpost.dialogue.messages import AbortReason
from qkdpost.keys.secret_key import SecretKey
from qkdpost.session.blocks.report import BlockReport

__all__ = [
    "BlockAborted",
    "ConnectionClosed",
    "ConnectionLost",
    "Event",
    "HandshakeCompleted",
    "KeyPoolLow",
    "KeyReady",
    "LossReason",
    "StageCompleted",
]

LossReason: TypeAlias = Literal[
    "peer-closed", "timed-out", "closed-here", "protocol-error", "authentication-failed", "failed-here"
]
"""Why a connection ended otherwise than in good order.

- "peer-closed": the peer or the network ended the line.
- "timed-out": nothing came for as long as this host waits.
- "closed-here": this host's application or driver ended the line.
- "protocol-error": the peer broke the protocol, or is configured otherwise.
- "authentication-failed": a tag was wrong.
- "failed-here": a fault of this host, such as memory that ran out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeCompleted:
    """Both hosts hold the same configuration; blocks may start.

    Args:
        protocol_version: of the wire, the newest that both speak.
        peer_release: of the library at the other end, as it says; empty if it does not. Both are to be believed once a
            key was released on the connection.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=1000, rng=1)
    >>> seen = []
    >>> _ = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()), on_event=seen.append)
    >>> [event.peer_release == qp.__version__ for event in seen if isinstance(event, qp.HandshakeCompleted)]
    [True]
    """

    protocol_version: int
    peer_release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompleted:
    """A stage of a block is done on this side.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=200_000, rng=1)
    >>> seen = []
    >>> _ = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()), on_event=seen.append)
    >>> [event.stage for event in seen if isinstance(event, qp.StageCompleted)]
    ['sifting', 'estimation', 'reconciliation', 'verification', 'length agreement', 'release']
    """

    block: int
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReady:
    """Both hosts confirmed this key; `key` is secret and its representation does not show it.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> seen = []
    >>> result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()), on_event=seen.append)
    >>> [len(event.key.bits) == len(result.key) > 0 for event in seen if isinstance(event, qp.KeyReady)]
    [True]
    """

    block: int
    key: SecretKey
    report: BlockReport


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockAborted:
    """The block ended without key on this side; nothing of it is reused.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=1000, rng=1)
    >>> seen = []
    >>> _ = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()), on_event=seen.append)
    >>> [event.reason.name for event in seen if isinstance(event, qp.BlockAborted)]
    ['TOO_FEW_BITS']
    """

    block: int
    reason: AbortReason
    detail: str
    report: BlockReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed:
    """The opener has no more records, and no block is in flight: the connection may end.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=1000, rng=1)
    >>> seen = []
    >>> _ = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()), on_event=seen.append)
    >>> isinstance(seen[-1], qp.ConnectionClosed)
    True
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost:
    """The connection ended otherwise than in good order; the blocks that died with it have their events before this.

    Args:
        reason: which of `LossReason`.
        detail: in words, for a log.

    >>> import qkdpost as qp
    >>> session = qp.Session(role="alice", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=qp.KeyPool(bytes(1000)))
    >>> session.connection_lost()
    >>> [event.reason for event in session.events() if isinstance(event, qp.ConnectionLost)]
    ['peer-closed']
    """

    reason: LossReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPoolLow:
    """Authentication key runs low: once, when the pool falls below `low_pool_bytes` of the session.

    It is told again when the pool has been above that for as much as the blocks in flight take. A block costs 48 bytes
    and brings 48 with its key: a pool that falls belongs to a link whose blocks end without key, or whose hosts do not
    hold the same segments.

    Args:
        available_bytes: that the connection may still take.
        resting_bytes: in segments that the peer does not hold, by what it says: where these are many, the pools differ.

    >>> import qkdpost as qp
    >>> event = qp.KeyPoolLow(available_bytes=96, resting_bytes=0)
    >>> event.available_bytes < 480
    True
    """

    available_bytes: int
    resting_bytes: int


Event: TypeAlias = (
    HandshakeCompleted | StageCompleted | KeyReady | BlockAborted | ConnectionClosed | ConnectionLost | KeyPoolLow
)
