"""The symbols or outcomes of a block's records, in order, without those that were disclosed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import LocalProtocolError
from qkdpost.single_use import SingleUse

__all__ = ["SymbolStream", "rows_at"]

Rows = NDArray[Any]


@dataclass(slots=True)
class SymbolStream(SingleUse):
    """Hands out what several arrays hold, a piece at a time, and lets go of each array once it is used up.

    A block of 10^8 symbols is never copied whole: what is taken is as long as a frame.

    Args:
        parts: arrays, one for each record, alike in all axes but the first, or `Bits`; not copied. Secret.
        left_out: positions in all of them together that are not handed out, ascending; int64.
    """

    parts: deque[Any] = field(repr=False)
    left_out: NDArray[np.int64] = field(repr=False)
    _begin: int = 0
    """The position of the first row of the first part that is still held."""
    _next: int = 0
    """The position that is handed out next, unless it is left out."""

    @classmethod
    def of(cls, parts: Sequence[Any], left_out: NDArray[np.int64]) -> SymbolStream:
        """Return the stream over `parts`."""
        return cls(parts=deque(parts), left_out=left_out)

    def take(self, count: int) -> Rows:
        """Return a copy of the next `count` rows.

        Raises:
            LocalProtocolError: fewer are left.
        """
        pieces = []
        while count:
            piece = self._piece(count)
            count -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _piece(self, most: int) -> Rows:
        """Return up to `most` rows, all of one part."""
        while self.parts and self._next - self._begin >= len(self.parts[0]):
            self._begin += len(self.parts.popleft())
        if not self.parts:
            raise LocalProtocolError("a block's records hold fewer symbols than were counted")
        end = min(self._next + most, self._begin + len(self.parts[0]))
        skipped = self.left_out[np.searchsorted(self.left_out, self._next) : np.searchsorted(self.left_out, end)]
        rows = np.asarray(self.parts[0][self._next - self._begin : end - self._begin])
        taken = np.delete(rows, skipped - self._next, axis=0) if skipped.size else rows.copy()
        self._next = end
        return taken


def rows_at(parts: Sequence[Rows], positions: NDArray[np.int64]) -> Rows:
    """Return copies of the rows at `positions` (ascending) of several arrays taken as one."""
    found, begin = [], 0
    for part in parts:
        inside = positions[np.searchsorted(positions, begin) : np.searchsorted(positions, begin + len(part))]
        found.append(part[inside - begin])
        begin += len(part)
    return np.concatenate(found)
