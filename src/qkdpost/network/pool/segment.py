"""One segment of a pool: key that came in at once, in what state it is, and which direction may spend what of it.

State table. A segment comes in as OFFERED. The *leader* is the end whose name sorts first.

| state | at | meaning | leaves by |
|---|---|---|---|
| OFFERED | both | here; nothing is known of the other end, nothing is spent | see below |
| NUMBERED | leader | the follower holds it; its number is given; nothing is spent here | the follower took it: READY |
| READY | both | the follower has taken the number; both may spend | spent by both directions: GONE |
| GONE | both | spent, given up, or discarded; the identifier is never taken again | - |

OFFERED becomes NUMBERED at the leader when the follower's check is right, or at once where a transfer vouched for it,
and READY at the follower with the leader's number. So whatever one side may have spent of, the other knows: that is
what makes the rules of `settling` safe against a restored backup.

The leader's direction reads a segment from the front, the follower's from the back. Each is counted from its own end,
so that a place in a segment is a number of bytes that its direction has passed. Segments of any size are split in
halves: a key goes on in the next segment where one ends, so that no rest is too short for it, and a share that no side
needs is given to the other by `Grant`. (Giving small segments whole to one side, by the parity of their numbers, would
hang on numbers that no tag covers: two ends that were led to number alike segments differently would both own one.)
"""

from __future__ import annotations

import struct
from enum import IntEnum

from qkdpost.errors import StoreDamaged

__all__ = ["FOLLOWER", "HASH_KEYS_BYTES", "LEADER", "PooledSegment", "SegmentStage", "row_of", "segment_of"]

LEADER, FOLLOWER = 0, 1
HASH_KEYS_BYTES = 32
"""r of the leader, then r of the follower."""
_ROW = struct.Struct("<BBBIIIIIIIIBB")
_NOT_LEFT = 2**32 - 1


class SegmentStage(IntEnum):
    """Where a segment is on its way."""

    OFFERED = 1
    NUMBERED = 2
    READY = 3
    GONE = 4


class PooledSegment:
    """What is known of a segment, without its content.

    Args:
        identifier: 16 bytes, public.
        stage: see the table of this module.
        vouched: whether a transfer vouched for it, so that it has no check of its own.
        renews: whether the leader's half begins with new hash keys of the pool; only where transfers vouch.
        number: its place in the order, 0 if it has none yet.
        length: the bytes that the directions share.
        split: how many of them are of the leader's half.
        chunk: bytes of a row of its content.
        limits: how many the leader's direction may spend, and how many the follower's.
        left: how many each had passed when it went on to the next segment; None before.
        wrong_tags: how many tags under its pads were wrong.
        wrong_checks: how many checks of it were wrong.
    """

    __slots__ = (
        "chunk",
        "identifier",
        "left",
        "length",
        "limits",
        "number",
        "renews",
        "split",
        "stage",
        "vouched",
        "wrong_checks",
        "wrong_tags",
    )

    def __init__(
        self,
        identifier: bytes,
        stage: SegmentStage,
        *,
        vouched: bool,
        length: int,
        split: int,
        chunk: int,
        renews: bool = False,
        number: int = 0,
        limits: tuple[int, int] | None = None,
        left: tuple[int | None, int | None] = (None, None),
        wrong_tags: int = 0,
        wrong_checks: int = 0,
    ) -> None:
        self.identifier = identifier
        self.stage = stage
        self.vouched = vouched
        self.renews = renews
        self.number = number
        self.length = length
        self.split = split
        self.chunk = chunk
        self.limits = [split, length - split] if limits is None else list(limits)
        self.left = list(left)
        self.wrong_tags = wrong_tags
        self.wrong_checks = wrong_checks

    @property
    def in_use(self) -> bool:
        """Whether this side may have spent of it."""
        return self.stage is SegmentStage.READY

    def begin(self, direction: int) -> int:
        """Return where a direction begins in it: behind the hash keys, if it has new ones."""
        return HASH_KEYS_BYTES if self.renews and direction == LEADER else 0

    def half(self, direction: int) -> int:
        """Return the length of the half that a direction begins with."""
        return self.length - self.split if direction else self.split

    def aligned(self, direction: int, wanted: int) -> int:
        """Return the least limit of a direction from `wanted` on that cuts no chunk in two."""
        half = self.half(direction)
        if wanted <= half:
            return min(half, -(-wanted // self.chunk) * self.chunk)
        return self.length - (self.length - wanted) // self.chunk * self.chunk

    def __repr__(self) -> str:
        return f"PooledSegment(number={self.number}, stage={self.stage.name}, length={self.length})"


def row_of(segment: PooledSegment) -> bytes:
    """Return the row of a segment."""
    left = [_NOT_LEFT if value is None else value for value in segment.left]
    return _ROW.pack(
        segment.stage,
        segment.vouched,
        segment.renews,
        segment.number,
        segment.length,
        segment.split,
        segment.chunk,
        *segment.limits,
        *left,
        min(segment.wrong_tags, 255),
        min(segment.wrong_checks, 255),
    )


def segment_of(identifier: bytes, row: bytes) -> PooledSegment:
    """Return the segment of a row.

    Raises:
        StoreDamaged: it is none.
    """
    try:
        stage, vouched, renews, number, length, split, chunk, first, second, left, other, tags, checks = _ROW.unpack(
            row
        )
        known = SegmentStage(stage)
    except (struct.error, ValueError):
        raise _damaged() from None
    if vouched > 1 or renews > 1 or not chunk or split > length or first + second > length or len(identifier) != 16:
        raise _damaged()
    if known in (SegmentStage.NUMBERED, SegmentStage.READY) and not number:
        raise _damaged()
    return PooledSegment(
        identifier,
        known,
        vouched=bool(vouched),
        renews=bool(renews),
        number=number,
        length=length,
        split=split,
        chunk=chunk,
        limits=(first, second),
        left=(None if left == _NOT_LEFT else left, None if other == _NOT_LEFT else other),
        wrong_tags=tags,
        wrong_checks=checks,
    )


def _damaged() -> StoreDamaged:
    return StoreDamaged("a row of a pool's segments contradicts itself; restore the store or set up a new one")
