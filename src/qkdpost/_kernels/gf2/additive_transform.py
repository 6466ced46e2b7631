"""The additive Fourier transform of polynomials over GF(2), one value for each 128 conjugate points.

A polynomial of fewer than 128 N bits, N = 2^levels, is determined by its values at N points of GF(2^128), none
conjugate to another. The points are w + u with u in the span W of v_0 ... v_(levels-1) and w such that s_levels(w) =
v_64 (see `cantor`). In the basis X_k (see `basis_conversion`) write f = sum over k < 128 of X_(k N) f_k, each f_k of
N bits. X_(k N) is a product of s_(levels + b), constant on w + W, so that there f equals the polynomial of degree
below N whose coefficients in the same basis are

    g_j = sum over k of X_k(v_64) f_(k,j),

a fixed bit matrix applied to each 128 bits f_(0,j) ... f_(127,j) (`spread_bits`; the idea is that of the Frobenius
transforms: van der Hoeven and Larrieu, ISSAC 2017; Li and others, arXiv 1802.03932). N - 1 butterflies a level, after
Lin, Chung and Han (FOCS 2014), evaluate g on the coset: with c = s_i of the block's first point,

    a <- a + c b,  b <- b + a.

A value's layout: two words a point, in an order that is the transform's own. Of a product only values at the same
place are multiplied.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.bit_matrices import combine_rows, transpose
from qkdpost._kernels.gf2.cantor import FINE_WORDS, RUN, TAIL
from qkdpost._kernels.gf2.clmul_lanes import (
    broadcast,
    broadcast_lane,
    even_lanes,
    high_halves,
    interleave_high,
    interleave_low,
    load,
    low_halves,
    multiply_high,
    multiply_low,
    odd_lanes,
    store,
    swap_words,
    xor,
)
from qkdpost._kernels.gf2.field import multiply_constant, reduced_sum
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["collect_bits", "evaluate", "interpolate", "multiply_sums", "spread_bits"]

Words: TypeAlias = NDArray[np.uint64]

CHUNK_LEVELS = 10
"""Levels that are done together on one piece of the values, which then stays in the first-level cache."""
PIECE = 128
"""Words of each set that are multiplied together: those of some hundred sets stay in the second-level cache."""


@kernel
def spread_bits(words: Words, row_words: int, indices: NDArray[np.int32], values: Words, start: int) -> None:
    """Turn coefficients in the basis X_k into those of the polynomial on the coset.

    Args:
        words: 64 rows of `row_words` words: f_k for k = 0 ... 63; those above are zero.
        row_words: N / 64, a multiple of 8.
        indices: `TransformTables.spread`.
        values: N elements are written to it from word `start` on.
        start: where.
    """
    rows = np.empty(512, np.uint64)
    bits = np.empty(1024, np.uint64)
    table = np.empty(4 * rows.size, np.uint64)
    for column in range(0, row_words, 8):
        for row in range(64):
            store(rows, 8 * row, load(words, row * row_words + column))
        combine_rows(rows, table, indices, bits)
        transpose(bits, 0)
        transpose(bits, 512)
        for lane in range(8):
            position = start + 128 * (column + lane)
            for place in range(64):
                values[position + 2 * place] = bits[8 * place + lane]
                values[position + 2 * place + 1] = bits[512 + 8 * place + lane]


@kernel
def collect_bits(values: Words, start: int, row_words: int, indices: NDArray[np.int32], words: Words) -> None:
    """Undo `spread_bits` for polynomials of all 128 rows; `indices` is `TransformTables.collect`."""
    bits = np.empty(1024, np.uint64)
    rows = np.empty(1024, np.uint64)
    table = np.empty(4 * rows.size, np.uint64)
    for column in range(0, row_words, 8):
        for lane in range(8):
            position = start + 128 * (column + lane)
            for place in range(64):
                bits[8 * place + lane] = values[position + 2 * place]
                bits[512 + 8 * place + lane] = values[position + 2 * place + 1]
        transpose(bits, 0)
        transpose(bits, 512)
        combine_rows(bits, table, indices, rows)
        for row in range(128):
            store(words, row * row_words + column, load(rows, 8 * row))


@kernel
def evaluate(values: Words, start: int, levels: int, bases: Words, blocks: Words, coarse: Words, fine: Words) -> None:
    """Replace 2^levels coefficients by the values at the points, from the topmost level down."""
    chunk = min(levels, CHUNK_LEVELS)
    for level in range(levels - 1, chunk - 1, -1):
        _evaluate_level(values, start, level, 0, 1 << (levels - level - 1), bases, blocks)
    for piece in range(1 << (levels - chunk)):
        for level in range(chunk - 1, 2, -1):
            count = 1 << (chunk - level - 1)
            _evaluate_level(values, start, level, piece * count, count, bases, blocks)
        runs = 1 << (chunk - 7)
        for run in range(piece * runs, (piece + 1) * runs):
            _evaluate_fine(values, start, run, coarse, fine)


@kernel
def interpolate(
    values: Words, start: int, levels: int, bases: Words, blocks: Words, coarse: Words, fine: Words
) -> None:
    """Undo `evaluate`."""
    chunk = min(levels, CHUNK_LEVELS)
    for piece in range(1 << (levels - chunk)):
        runs = 1 << (chunk - 7)
        for run in range(piece * runs, (piece + 1) * runs):
            _interpolate_fine(values, start, run, coarse, fine)
        for level in range(3, chunk):
            count = 1 << (chunk - level - 1)
            _interpolate_level(values, start, level, piece * count, count, bases, blocks)
    for level in range(chunk, levels):
        _interpolate_level(values, start, level, 0, 1 << (levels - level - 1), bases, blocks)


@kernel
def multiply_sums(left: Words, right: Words, size: int, first: int, products: Words, begin: int, end: int) -> None:
    """Write sums of products of values: set k to `products`, for each of its sets k = 0, 1, ...

    Set k is the sum over i + j = first + k of set i of `left` times set j of `right`. All sets are worked on piece by
    piece, so that each value comes from memory once.

    Args:
        left: whole sets of values, one after another.
        right: the same.
        size: words of a set.
        first: the sum of the numbers of the sets that make up set 0.
        products: whole sets, overwritten from word `begin` of each to before word `end`.
        begin: a multiple of eight.
        end: likewise, at most `size`.
    """
    left_sets = left.size // size
    right_sets = right.size // size
    for piece in range(begin, end, PIECE):
        piece_end = min(piece + PIECE, end)
        for index in range(products.size // size):
            lowest = max(0, first + index - right_sets + 1)
            count = min(left_sets - 1, first + index) - lowest + 1
            left_start = lowest * size
            right_start = (first + index - lowest) * size
            for place in range(piece, piece_end, 8):
                low = broadcast(np.uint64(0), np.uint64(0))
                middle = low
                high = low
                for step in range(count):
                    one = load(left, left_start + step * size + place)
                    other = load(right, right_start - step * size + place)
                    low = xor(low, multiply_low(one, other))
                    high = xor(high, multiply_high(one, other))
                    middle = xor(middle, multiply_low(xor(one, swap_words(one)), xor(other, swap_words(other))))
                store(products, index * size + place, reduced_sum(low, middle, high))


@kernel
def _evaluate_level(values: Words, start: int, level: int, first: int, count: int, bases: Words, blocks: Words) -> None:
    """Do the butterflies of blocks first ... first + count - 1 of 2^(level + 1) points."""
    tail = broadcast(np.uint64(TAIL), np.uint64(TAIL))
    base = broadcast_lane(bases, 4 * level)
    base_raised = broadcast_lane(bases, 4 * level + 2)
    half = 2 << level
    for block in range(first, first + count):
        constant = xor(base, broadcast_lane(blocks, 4 * block))
        raised = xor(base_raised, broadcast_lane(blocks, 4 * block + 2))
        position = start + 2 * half * block
        for place in range(position, position + half, 8):
            odd = load(values, place + half)
            even = xor(load(values, place), multiply_constant(odd, constant, raised, tail))
            store(values, place, even)
            store(values, place + half, xor(even, odd))


@kernel
def _interpolate_level(
    values: Words, start: int, level: int, first: int, count: int, bases: Words, blocks: Words
) -> None:
    """Undo `_evaluate_level`."""
    tail = broadcast(np.uint64(TAIL), np.uint64(TAIL))
    base = broadcast_lane(bases, 4 * level)
    base_raised = broadcast_lane(bases, 4 * level + 2)
    half = 2 << level
    for block in range(first, first + count):
        constant = xor(base, broadcast_lane(blocks, 4 * block))
        raised = xor(base_raised, broadcast_lane(blocks, 4 * block + 2))
        position = start + 2 * half * block
        for place in range(position, position + half, 8):
            even = load(values, place)
            odd = xor(even, load(values, place + half))
            store(values, place + half, odd)
            store(values, place, xor(even, multiply_constant(odd, constant, raised, tail)))


@kernel
def _evaluate_fine(values: Words, start: int, run: int, coarse: Words, fine: Words) -> None:
    """Do levels 2, 1 and 0 on RUN blocks of eight points; pairs of levels 1 and 0 are found by shuffles."""
    tail = broadcast(np.uint64(TAIL), np.uint64(TAIL))
    second = broadcast_lane(coarse, 12 * run)
    second_raised = broadcast_lane(coarse, 12 * run + 2)
    first = broadcast_lane(coarse, 12 * run + 4)
    first_raised = broadcast_lane(coarse, 12 * run + 6)
    zeroth = broadcast_lane(coarse, 12 * run + 8)
    zeroth_raised = broadcast_lane(coarse, 12 * run + 10)
    for block in range(RUN):
        place = start + 16 * (RUN * run + block)
        entry = FINE_WORDS * block
        even = load(values, place)
        odd = load(values, place + 8)
        constant = xor(second, broadcast_lane(fine, entry))
        raised = xor(second_raised, broadcast_lane(fine, entry + 2))
        even = xor(even, multiply_constant(odd, constant, raised, tail))
        odd = xor(even, odd)
        lows = low_halves(even, odd)
        highs = high_halves(even, odd)
        constant = xor(first, load(fine, entry + 8))
        raised = xor(first_raised, load(fine, entry + 16))
        lows = xor(lows, multiply_constant(highs, constant, raised, tail))
        highs = xor(lows, highs)
        even = even_lanes(lows, highs)
        odd = odd_lanes(lows, highs)
        constant = xor(zeroth, load(fine, entry + 24))
        raised = xor(zeroth_raised, load(fine, entry + 32))
        even = xor(even, multiply_constant(odd, constant, raised, tail))
        store(values, place, even)
        store(values, place + 8, xor(even, odd))


@kernel
def _interpolate_fine(values: Words, start: int, run: int, coarse: Words, fine: Words) -> None:
    """Undo `_evaluate_fine`."""
    tail = broadcast(np.uint64(TAIL), np.uint64(TAIL))
    second = broadcast_lane(coarse, 12 * run)
    second_raised = broadcast_lane(coarse, 12 * run + 2)
    first = broadcast_lane(coarse, 12 * run + 4)
    first_raised = broadcast_lane(coarse, 12 * run + 6)
    zeroth = broadcast_lane(coarse, 12 * run + 8)
    zeroth_raised = broadcast_lane(coarse, 12 * run + 10)
    for block in range(RUN):
        place = start + 16 * (RUN * run + block)
        entry = FINE_WORDS * block
        even = load(values, place)
        odd = xor(even, load(values, place + 8))
        constant = xor(zeroth, load(fine, entry + 24))
        raised = xor(zeroth_raised, load(fine, entry + 32))
        even = xor(even, multiply_constant(odd, constant, raised, tail))
        lows = interleave_low(even, odd)
        highs = xor(lows, interleave_high(even, odd))
        constant = xor(first, load(fine, entry + 8))
        raised = xor(first_raised, load(fine, entry + 16))
        lows = xor(lows, multiply_constant(highs, constant, raised, tail))
        even = low_halves(lows, highs)
        odd = xor(even, high_halves(lows, highs))
        constant = xor(second, broadcast_lane(fine, entry))
        raised = xor(second_raised, broadcast_lane(fine, entry + 2))
        even = xor(even, multiply_constant(odd, constant, raised, tail))
        store(values, place, even)
        store(values, place + 8, odd)
