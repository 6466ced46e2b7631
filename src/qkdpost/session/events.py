"""What a session reports to the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from qkdpost.dialogue.messages import AbortReason
from qkdpost.keys.secret_key import SecretKey
from qkdpost.session.blocks.report import BlockReport

__all__ = ["BlockAborted", "ConnectionClosed", "Event", "HandshakeCompleted", "KeyReady", "StageCompleted"]


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


Event: TypeAlias = HandshakeCompleted | StageCompleted | KeyReady | BlockAborted | ConnectionClosed
