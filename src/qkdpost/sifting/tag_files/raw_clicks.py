"""What every reader of files gives: the clicks of a file as they stand there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["RawClicks", "joined"]


@dataclass(frozen=True, slots=True)
class RawClicks:
    """The clicks of a file, nobody's ones too, in its order.

    Args:
        ticks: when each came; shape (n,).
        numbers: which detector, as the file numbers them; names as `detectors.code_of` says. Shape (n,). Secret.
    """

    ticks: NDArray[np.int64] = field(repr=False)
    numbers: NDArray[np.int64] = field(repr=False)


def joined(parts: list[RawClicks]) -> RawClicks:
    """Return all clicks of the parts of a file."""
    empty = np.zeros(0, dtype=np.int64)
    return RawClicks(
        np.concatenate([empty, *(part.ticks for part in parts)]),
        np.concatenate([empty, *(part.numbers for part in parts)]),
    )
