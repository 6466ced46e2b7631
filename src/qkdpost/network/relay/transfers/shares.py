"""Bytes of shares, and the messages that carry them."""

from __future__ import annotations

from functools import lru_cache

from qkdpost.network.messages.fields import MAX_FRAME_BYTES, VoidReason
from qkdpost.network.messages.framed import CarrySegment, CarryVoid
from qkdpost.network.peer.handler import Session
from qkdpost.network.relay.routing import Path

__all__ = ["ROOM_OF_A_FRAME", "frame_size", "message_size", "names_size", "refuse", "zero"]

ROOM_OF_A_FRAME = MAX_FRAME_BYTES - 4096
"""What messages may take: the rest is for the head of a frame and the ranges that it names, 255 at most."""
LONGEST_BLOCK_BYTES = 272
"""Of a block in a provenance: a link of 160 bytes, a kind of 64, an identifier, two numbers, and what stands before."""
CHECK_COUNT_BYTES = 40
"""Of the count of a link's checks, and what lists of blocks and counts grow by in front."""
MESSAGE_BYTES = 256
"""Of all other fields: 220 with a source and a target of 64 bytes each."""


def zero(secret: bytearray | None) -> None:
    """Overwrite secret bytes with zeros."""
    if secret is not None:
        secret[:] = bytes(len(secret))


def refuse(peer: Session, message: CarrySegment, material: bytearray, reason: VoidReason) -> None:
    """Answer a share by a refusal, and use nothing of it."""
    zero(material)
    peer.queue(CarryVoid(message.transfer, message.share, reason))


def message_size(message: CarrySegment) -> int:
    """Return how many bytes a share's message takes in a frame at most, but for what its pad rests on."""
    return message.length_bytes + len(message.provenance) + names_size(message.paths) + MESSAGE_BYTES


def frame_size(peer: Session, count: int, message_bytes: int, key_bytes: int) -> int:
    """Return how many bytes shares take in a frame at most, with provenances that have grown by this hop.

    Each segment of a link names one block. Of a frame that takes bytes from r segments, t of them for its tag, the n
    messages name at most r + n blocks for their pads, since two in a row may share a segment, and n (t + 1) for tag and
    hash key.

    Args:
        peer: the session with the next site.
        count: n.
        message_bytes: the `message_size` of all together.
        key_bytes: what they consume together.
    """
    segments, of_the_tag = peer.segments_ahead(key_bytes), peer.segments_ahead(0)
    blocks = segments + count * (of_the_tag + 2)
    return message_bytes + LONGEST_BLOCK_BYTES * blocks + CHECK_COUNT_BYTES * count


@lru_cache(maxsize=1024)
def names_size(paths: tuple[Path, ...]) -> int:
    """Return how many bytes the names of paths take."""
    return sum(len(name.encode()) + 2 for path in paths for name in path)
