"""Bit matrices on rows of 512 bits: multiplication by a fixed matrix, and transposition.

A row is eight words, one `Lanes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.clmul_lanes import Lanes, and_, broadcast, load, shift_down, shift_up, store, xor
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["combination_indices", "combine_rows", "transpose"]

Words: TypeAlias = NDArray[np.uint64]

GROUP = 4
"""Rows whose sums are tabulated together (the method of four Russians)."""


def combination_indices(masks: Sequence[int], rows: int) -> NDArray[np.int32]:
    """Return what `combine_rows` takes for outputs that sum the rows in each of `masks`.

    For output k and each group of GROUP rows: where in the table the sum of the chosen rows of the group begins.
    """
    groups = range(rows // GROUP)
    size = 1 << GROUP
    places = [[8 * (group * size + (mask >> GROUP * group) % size) for group in groups] for mask in masks]
    return np.array(places, dtype=np.int32)


@kernel
def combine_rows(rows: Words, table: Words, indices: NDArray[np.int32], output: Words) -> None:
    """Write sums of rows to `output`.

    Args:
        rows: rows of eight words, a multiple of GROUP of them.
        table: scratch of 2^GROUP rows for each group.
        indices: from `combination_indices`, shape (outputs, groups).
        output: a row for each output.
    """
    groups = indices.shape[1]
    for group in range(groups):
        entry = 8 * (group << GROUP)
        store(table, entry, broadcast(np.uint64(0), np.uint64(0)))
        for bit in range(GROUP):
            row = load(rows, 8 * (GROUP * group + bit))
            for other in range(1 << bit):
                store(table, entry + 8 * ((1 << bit) + other), xor(load(table, entry + 8 * other), row))
    for index in range(indices.shape[0]):
        total = load(table, indices[index, 0])
        for group in range(1, groups):
            total = xor(total, load(table, indices[index, group]))
        store(output, 8 * index, total)


@kernel
def transpose(block: Words, start: int) -> None:
    """Transpose eight matrices of 64 x 64 bits in place: bit t of word 8 k + c goes to bit k of word 8 t + c."""
    for first in range(8):
        _swap_eight(block, start + 8 * first, 64, 32, 0x00000000FFFFFFFF, 0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF)
    for first in range(0, 64, 8):
        _swap_eight(block, start + 8 * first, 8, 4, 0x0F0F0F0F0F0F0F0F, 0x3333333333333333, 0x5555555555555555)


@kernel
def _swap_eight(  # the three stages that eight rows need among themselves
    block: Words, first: int, stride: int, distance: int, far: int, middle: int, near: int
) -> None:
    """Exchange bits between eight rows `stride` words apart, then between fours, then between pairs of them."""
    a = load(block, first)
    b = load(block, first + stride)
    c = load(block, first + 2 * stride)
    d = load(block, first + 3 * stride)
    e = load(block, first + 4 * stride)
    f = load(block, first + 5 * stride)
    g = load(block, first + 6 * stride)
    h = load(block, first + 7 * stride)
    chosen = broadcast(np.uint64(far), np.uint64(far))
    a, e = _exchange(a, e, distance, chosen)
    b, f = _exchange(b, f, distance, chosen)
    c, g = _exchange(c, g, distance, chosen)
    d, h = _exchange(d, h, distance, chosen)
    distance >>= 1
    chosen = broadcast(np.uint64(middle), np.uint64(middle))
    a, c = _exchange(a, c, distance, chosen)
    b, d = _exchange(b, d, distance, chosen)
    e, g = _exchange(e, g, distance, chosen)
    f, h = _exchange(f, h, distance, chosen)
    distance >>= 1
    chosen = broadcast(np.uint64(near), np.uint64(near))
    a, b = _exchange(a, b, distance, chosen)
    c, d = _exchange(c, d, distance, chosen)
    e, f = _exchange(e, f, distance, chosen)
    g, h = _exchange(g, h, distance, chosen)
    store(block, first, a)
    store(block, first + stride, b)
    store(block, first + 2 * stride, c)
    store(block, first + 3 * stride, d)
    store(block, first + 4 * stride, e)
    store(block, first + 5 * stride, f)
    store(block, first + 6 * stride, g)
    store(block, first + 7 * stride, h)


@kernel
def _exchange(upper: Lanes, lower: Lanes, distance: int, chosen: Lanes) -> tuple[Lanes, Lanes]:
    """Exchange the chosen bits of `lower` with those of `upper` that stand `distance` higher."""
    moved = and_(xor(shift_down(upper, distance), lower), chosen)
    return xor(upper, shift_up(moved, distance)), xor(lower, moved)
