"""Where each edge of a code finds the posteriors of its block, as the edge before has left them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode

__all__ = ["posterior_moves"]

Words = NDArray[np.uint64]
Indexes = NDArray[np.int64]


def posterior_moves(code: QuasiCyclicCode, step: int) -> tuple[Words, Words]:
    """Return the words of edges and blocks that `qkdpost._kernels.ldpc.posteriors` describes.

    Args:
        code: whose edges follow each other row by row.
        step: elements from the first place of a block to the second, and from there to the next block.

    Returns:
        For edges, in iterations 0, 2, ... and in 1, 3, ..., shape (2, base edges); for blocks, after as many
        iterations, shape (2, columns).
    """
    columns = (code.edge_bits // np.uint64(code.size)).astype(np.int64)
    shifts = code.edge_shifts.astype(np.int64)
    degrees = np.bincount(columns, minlength=code.columns)
    by_column = np.argsort(columns, kind="stable")
    ends = np.cumsum(degrees)
    number = np.empty(columns.size, dtype=np.int64)
    number[by_column] = np.arange(columns.size) - np.repeat(ends - degrees, degrees)
    last_shifts = shifts[by_column[ends - 1]]  # every column has an edge
    before = np.empty_like(shifts)
    before[by_column[1:]] = shifts[by_column[:-1]]
    before = np.where(number == 0, last_shifts[columns], before)
    edges = [
        _words(columns, (number + age * degrees[columns]) % 2, step, (shifts - before) % code.size) for age in (0, 1)
    ]
    every = np.arange(code.columns)
    blocks = [_words(every, age * degrees % 2, step, -last_shifts % code.size) for age in (0, 1)]
    return np.stack(edges), np.stack(blocks)


def _words(columns: Indexes, seconds: Indexes, step: int, turns: Indexes) -> Words:
    """Return words of blocks, read at their second places where `seconds` has 1."""
    places = (2 * columns + seconds) * step
    words: Words = places.astype(np.uint64) << np.uint64(32) | turns.astype(np.uint64)
    return words | seconds.astype(np.uint64) << np.uint64(31)
