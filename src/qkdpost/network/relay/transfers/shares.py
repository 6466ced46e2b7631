"""Bytes of shares, and the messages that carry them."""

from __future__ import annotations

from functools import lru_cache

from qkdpost.network.messages.fields import MAX_FRAME_BYTES, VoidReason
from qkdpost.network.messages.framed import CarrySegment, CarryVoid
from qkdpost.network.peer.handler import Session
from qkdpost.network.relay.routing import Path

__all__ = ["ROOM_OF_A_FRAME", "message_size", "refuse", "zero"]

ROOM_OF_A_FRAME = MAX_FRAME_BYTES - 2048
ROOM_OF_A_PROVENANCE = 2048


def zero(secret: bytearray | None) -> None:
    """Overwrite secret bytes with zeros."""
    if secret is not None:
        secret[:] = bytes(len(secret))


def refuse(peer: Session, message: CarrySegment, material: bytearray, reason: VoidReason) -> None:
    """Answer a share by a refusal, and use nothing of it."""
    zero(material)
    peer.queue(CarryVoid(message.transfer, message.share, reason))


def message_size(message: CarrySegment) -> int:
    """Return how many bytes a share's message takes in a frame at most, its provenance having grown by a hop.

    A pad may come from several segments, the shortest of 128 bytes, each of which has a block to be named.
    """
    grown = len(message.provenance) + max(ROOM_OF_A_PROVENANCE, 2 * message.length_bytes)
    return message.length_bytes + grown + _names_size(message.paths) + 256


@lru_cache(maxsize=1024)
def _names_size(paths: tuple[Path, ...]) -> int:
    return sum(len(name.encode()) + 2 for path in paths for name in path)
