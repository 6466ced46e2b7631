"""Which bits of a code's frame are key, which punctured, which shortened; the same on both hosts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.syndromes import select_untainted
from qkdpost.bits import Bits
from qkdpost.reconciliation.ldpc_codes import QuasiCyclicCode, load_code, manifest
from qkdpost.shared_random import permutation

__all__ = ["FrameLayout", "frame_layout", "mask_of", "untainted_bits", "untainted_count"]

Positions = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLayout:
    """Places in a frame.

    Attributes:
        key: places of key bits, increasing, uint32.
        punctured: places of punctured bits in the order in which they are revealed.
        shortened: places of shortened bits, increasing.
    """

    key: Positions
    punctured: Positions
    shortened: Positions


def untainted_count(name: str) -> int:
    """Return how many bits of a shipped code may be punctured, as the manifest says."""
    return int(manifest()["codes"][name]["untainted_bits"])


def untainted_bits(code: QuasiCyclicCode) -> tuple[Positions, Positions]:
    """Return bits no two of which share a check, in a fixed random order, and all bits in that order.

    The order is the shared permutation of the frame under the code's own hash as the seed.
    """
    candidates = permutation(bytes.fromhex(code.digest()), b"ldpc untainted", code.frame_bits)
    by_column = code.edges[np.lexsort((code.edges[:, 0], code.edges[:, 1]))].astype(np.uint64)
    starts = np.searchsorted(by_column[:, 1], np.arange(code.columns + 1)).astype(np.uint64)
    chosen = np.zeros(code.frame_bits, dtype=np.uint32)
    count = select_untainted(
        candidates,
        starts,
        np.ascontiguousarray(by_column[:, 0]),
        np.ascontiguousarray(by_column[:, 2]),
        code.size,
        np.zeros(code.syndrome_bits, dtype=np.uint8),
        chosen,
    )
    return chosen[:count].copy(), candidates


@cache
def _orders(name: str) -> tuple[Positions, Positions]:
    return untainted_bits(load_code(name))


def frame_layout(name: str, punctured_bits: int, shortened_bits: int) -> FrameLayout:
    """Return the layout of a shipped code's frame: the first untainted bits punctured, the last others shortened."""
    untainted, order = _orders(name)
    punctured = untainted[:punctured_bits]
    free = np.ones(order.size, dtype=np.bool_)
    free[punctured] = False
    others = order[free[order]]
    shortened = np.sort(others[others.size - shortened_bits :])
    free[shortened] = False
    return FrameLayout(key=np.flatnonzero(free).astype(np.uint32), punctured=punctured, shortened=shortened)


def mask_of(positions: Positions, frame_bits: int) -> Bits:
    """Return `frame_bits` bits, ones at the positions."""
    flags = np.zeros(frame_bits, dtype=np.bool_)
    flags[positions] = True
    return Bits.from_array(flags)
