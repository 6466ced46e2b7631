"""Which bits of a code's frame are key, which punctured, which shortened; the same on both hosts.

Punctured are first the untainted bits, no two of which share a check, then bits that have, when chosen, at least one
check of which no bit chosen before takes part. Hence the columns of the punctured bits are independent, whatever the
number: in the order of choice those checks make their matrix triangular. So p punctured bits, uniform and secret, hide
p bits of the syndrome. Bits are chosen in a random order, for rates above the code's own want the same mixture of
degrees; those that are shortened spare the bits of two checks, for rates below it want these to be a larger part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.puncturing import select_pivoted
from qkdpost.bits import Bits
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.code_order import code_order
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code

__all__ = ["FrameLayout", "frame_layout", "mask_of", "puncturable_count", "puncturing_order", "untainted_bits"]

Positions = NDArray[np.uint32]

_TAINTED_CHECKS = (0, 1, 2, 3)
"""How many of a bit's checks may be in use when it is punctured, in one pass after another; 0 for untainted bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLayout:
    """Places in a frame.

    Attributes:
        key: places of key bits, increasing, uint32.
        punctured: places of punctured bits, the best to leave unknown first: the last are revealed first.
        shortened: places of shortened bits, increasing.
    """

    key: Positions
    punctured: Positions
    shortened: Positions


def untainted_bits(code: QuasiCyclicCode) -> tuple[Positions, Positions]:
    """Return bits no two of which share a check, in a fixed random order, and all bits in that order."""
    return _chosen_in_passes(code, (0,))


def puncturing_order(code: QuasiCyclicCode) -> tuple[Positions, Positions]:
    """Return the bits that may be punctured, in that order, and all bits in a fixed random order.

    The random order is that of the frame with the code's own hash as the seed; what is known of the code rests on it.
    """
    return _chosen_in_passes(code, _TAINTED_CHECKS)


def _chosen_in_passes(code: QuasiCyclicCode, passes: tuple[int, ...]) -> tuple[Positions, Positions]:
    """Return the bits chosen by passes that allow these counts of used checks, and all bits in a fixed random order."""
    candidates = code_order(bytes.fromhex(code.digest()), b"ldpc untainted", code.frame_bits)
    by_column = code.edges[np.lexsort((code.edges[:, 0], code.edges[:, 1]))].astype(np.uint64)
    starts = np.searchsorted(by_column[:, 1], np.arange(code.columns + 1)).astype(np.uint64)
    rows, shifts = (np.ascontiguousarray(by_column[:, column]) for column in (0, 2))
    tainted = np.zeros(code.syndrome_bits, dtype=np.uint8)
    used = np.zeros(code.frame_bits, dtype=np.uint8)
    output = np.zeros(code.frame_bits, dtype=np.uint32)
    chosen = []
    for most in passes:
        count = select_pivoted(candidates, starts, rows, shifts, code.size, most, tainted, used, output)
        chosen.append(output[:count].copy())
    return np.concatenate(chosen), candidates


@cache
def _orders(name: str) -> tuple[Positions, Positions, NDArray[np.bool_]]:
    code = load_code(name)
    return *puncturing_order(code), np.repeat(code.column_degrees() == 2, code.size)


def puncturable_count(name: str) -> int:
    """Return how many bits of a shipped code may be punctured."""
    return int(_orders(name)[0].size)


def frame_layout(name: str, punctured_bits: int, shortened_bits: int) -> FrameLayout:
    """Return the layout of a shipped code's frame."""
    punctured, order, of_degree_two = _orders(name)
    if punctured_bits > punctured.size:
        raise ConfigurationError(
            f"punctured_bits of code {name!r} must be at most {punctured.size}; found {punctured_bits}"
        )
    punctured = punctured[:punctured_bits]
    free = np.ones(order.size, dtype=np.bool_)
    free[punctured] = False
    others = order[free[order]]
    spared = others[np.argsort(of_degree_two[others], kind="stable")]
    shortened = np.sort(spared[:shortened_bits])
    free[shortened] = False
    return FrameLayout(key=np.flatnonzero(free).astype(np.uint32), punctured=punctured, shortened=shortened)


def mask_of(positions: Positions, frame_bits: int) -> Bits:
    """Return `frame_bits` bits, ones at the positions."""
    flags = np.zeros(frame_bits, dtype=np.bool_)
    flags[positions] = True
    return Bits.from_array(flags)
