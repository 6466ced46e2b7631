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
    """

    protocol_version: int
    peer_release: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCompleted:
    """A stage of a block is done on this side."""

    block: int
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReady:
    """Both hosts confirmed this key; `key` is secret and its representation does not show it."""

    block: int
    key: SecretKey
    report: BlockReport


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockAborted:
    """The block ended without key on this side; nothing of it is reused."""

    block: int
    reason: AbortReason
    detail: str
    report: BlockReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionClosed:
    """The opener has no more records, and no block is in flight: the connection may end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost:
    """The connection ended otherwise than in good order; the blocks that died with it have their events before this.

    Args:
        reason: which of `LossReason`.
        detail: in words, for a log.
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
    """

    available_bytes: int
    resting_bytes: int


Event: TypeAlias = (
    HandshakeCompleted | StageCompleted | KeyReady | BlockAborted | ConnectionClosed | ConnectionLost | KeyPoolLow
)
