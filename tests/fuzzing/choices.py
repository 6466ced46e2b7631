"""Decisions read off bytes: whatever the bytes are, and zeros when they are used up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["EDGES", "Choices"]

Kept = TypeVar("Kept")

EDGES = sorted(
    {0, 10**6, 2**53 + 1, -(2**63) - 1, 2**400}
    | {sign * (2**power + step) for power in (0, 1, 3, 7, 8, 15, 16, 31, 32, 53, 62, 63, 64) for step in (-1, 0, 1)
       for sign in (1, -1)}
)  # fmt: skip
"""Whole numbers at which something may change."""


class Choices:
    """A stream of decisions."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """Return some bytes, fewer at the end."""
        found = self._data[self._at : self._at + count]
        self._at += len(found)
        return found

    def below(self, limit: int) -> int:
        """Return one of 0 ... limit - 1."""
        if limit <= 1:
            return 0
        size = ((limit - 1).bit_length() + 7) // 8
        return int.from_bytes(self.take(size), "little") % limit

    def pick(self, options: Sequence[Kept]) -> Kept:
        """Return one of some things."""
        return options[self.below(len(options))]

    def chance(self) -> bool:
        """Return true or false."""
        return bool(self.below(2))

    def blob(self, most: int) -> bytes:
        """Return bytes of a chosen length."""
        return self.take(self.below(most + 1))

    def whole(self) -> int:
        """Return a whole number: small, at an edge, or any of 64 bits."""
        kind = self.below(4)
        if kind == 0:
            return self.below(256)
        if kind == 1:
            return self.pick(EDGES)
        if kind == 2:
            return self.below(2**24)
        return int.from_bytes(self.take(8), "little", signed=True)

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(self.left)
