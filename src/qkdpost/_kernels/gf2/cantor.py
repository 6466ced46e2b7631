"""The Cantor basis of GF(2^128) and the tables that the additive transform is driven by.

v_0 = 1 and v_i^2 + v_i = v_(i-1). Let s_0(x) = x and s_(i+1)(x) = s_i(x)^2 + s_i(x). Then s_i is linear over GF(2),
vanishes on the span of v_0 ... v_(i-1), has coefficients in GF(2), and s_i(v_(i+r)) = v_r (Cantor, J. Comb. Theory A
50, 285; Gao and Mateer, IEEE Trans. Inf. Theory 56, 6265). Elements are Python integers here: bit i is the
coefficient of x^i, modulo x^128 + x^7 + x^2 + x + 1.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.gf2.bit_matrices import combination_indices

__all__ = ["TransformTables", "cantor_basis", "coset_shift", "field_product", "transform_tables"]

Words: TypeAlias = NDArray[np.uint64]

TAIL = 0x87
"""x^128 modulo the polynomial: x^7 + x^2 + x + 1."""
MODULUS = 1 << 128 | TAIL
FINE_WORDS = 40
"""Words of an entry of `TransformTables.fine`: 2 + 2 for level 2, 4 unused, 8 + 8 for level 1, 8 + 8 for level 0."""
RUN = 16
"""Entries of `TransformTables.fine`."""
ORBIT = 128
"""Conjugates of each point of the transform: one value in GF(2^128) stands for 128 bits."""


class TransformTables(NamedTuple):
    """What a transform of 2^levels points needs; see `additive_transform`. Constants come as c and c x^64."""

    levels: int
    bases: Words
    blocks: Words
    coarse: Words
    fine: Words
    spread: NDArray[np.int32]
    collect: NDArray[np.int32]


def field_product(first: int, second: int) -> int:
    """Return the product in GF(2^128)."""
    result = 0
    while second:
        if second & 1:
            result ^= first
        second >>= 1
        first <<= 1
        if first >> 128:
            first ^= MODULUS
    return result


@functools.cache
def cantor_basis() -> tuple[int, ...]:
    """Return v_0 ... v_127."""
    # Row reduction of y -> y^2 + y, each row with the y that it came from: `rows` maps a leading bit to both.
    rows: dict[int, tuple[int, int]] = {}
    for place in range(1, 128):
        argument = 1 << place
        value, argument = _reduced(field_product(argument, argument) ^ argument, argument, rows)
        rows[value.bit_length()] = (value, argument)
    basis = [1]
    while len(basis) < 128:
        rest, root = _reduced(basis[-1], 0, rows)
        if rest:
            raise ArithmeticError("x^2 + x = v has no root: the modulus is not what it should be")
        basis.append(root)
    return tuple(basis)


def _reduced(value: int, argument: int, rows: dict[int, tuple[int, int]]) -> tuple[int, int]:
    while value and value.bit_length() in rows:
        other, its_argument = rows[value.bit_length()]
        value, argument = value ^ other, argument ^ its_argument
    return value, argument


def coset_shift(levels: int, level: int) -> int:
    """Return s_level of the shift of the points of a transform of 2^levels points: v_(64 + levels - level).

    s_levels of the shift is then v_64, which lies in no subfield, so that every point has 128 conjugates.
    """
    return cantor_basis()[64 + levels - level]


@functools.cache
def transform_tables(levels: int) -> TransformTables:
    """Return the tables of a transform of 2^levels points, levels = 7 ... 40."""
    basis = cantor_basis()
    bases = [_doubled(coset_shift(levels, level)) for level in range(levels)]
    points = 1 << levels
    coarse = np.zeros((max(points // (8 * RUN), 1), 12), dtype=np.uint64)
    for column, first in enumerate((5, 6, 7)):
        coarse[:, 4 * column : 4 * column + 4] = _subspace(basis[first:], len(coarse))
    return TransformTables(
        levels=levels,
        bases=np.array(bases, dtype=np.uint64).ravel(),
        blocks=_subspace(basis[1:], max(points // 16, 1)).ravel(),
        coarse=coarse.ravel(),
        fine=_fine_table(levels),
        spread=_matrix_indices(_orbit_products()[: ORBIT // 2]),
        collect=_matrix_indices(_inverse(_orbit_products())),
    )


def _fine_table(levels: int) -> Words:
    """Return the constants of levels 2, 1 and 0 within a run of blocks of eight points."""
    basis = cantor_basis()
    shifts = [coset_shift(levels, level) for level in range(3)]
    table = np.zeros((RUN, FINE_WORDS), dtype=np.uint64)
    second, first, zeroth = (_spanned(basis[start:], RUN) for start in (1, 2, 3))
    for run in range(RUN):
        table[run, 0:4] = _doubled(shifts[2] ^ second[run])
        pairs = [shifts[1] ^ first[run] ^ part for part in (0, 0, basis[1], basis[1])]
        # The order in which the lanes stand after the shuffles of levels 1 and 0: blocks 0, 2, 1, 3.
        singles = [shifts[0] ^ zeroth[run] ^ part for part in (0, basis[2], basis[1], basis[1] ^ basis[2])]
        for start, lanes in ((8, pairs), (24, singles)):
            both = np.array([_doubled(lane) for lane in lanes], dtype=np.uint64)
            table[run, start : start + 8] = both[:, :2].ravel()
            table[run, start + 8 : start + 16] = both[:, 2:].ravel()
    return table.ravel()


def _doubled(element: int) -> tuple[int, int, int, int]:
    """Return the words of an element and of its product by x^64."""
    raised = field_product(element, 1 << 64)
    mask = (1 << 64) - 1
    return element & mask, element >> 64, raised & mask, raised >> 64


def _spanned(generators: Sequence[int], count: int) -> list[int]:
    """Return the sums of the first generators chosen by the bits of 0 ... count - 1."""
    sums = [0]
    for generator in generators:
        if len(sums) >= count:
            break
        sums += [generator ^ other for other in sums]
    return sums


def _subspace(generators: Sequence[int], count: int) -> Words:
    """Return what `_spanned` does as words, each element with its product by x^64; shape (count, 4)."""
    table = np.zeros((count, 4), dtype=np.uint64)
    filled = 1
    for generator in generators:
        if filled >= count:
            break
        table[filled : 2 * filled] = table[:filled] ^ np.array(_doubled(generator), dtype=np.uint64)
        filled *= 2
    return table


@functools.cache
def _orbit_products() -> tuple[int, ...]:
    """Return X_k(v_64) for k = 0 ... 127: the products of v_(64 - b) over the bits b of k, a basis of the field."""
    basis = cantor_basis()
    products = [1]
    for bit in range(7):
        products += [field_product(basis[64 - bit], other) for other in products]
    return tuple(products)


def _inverse(columns: Iterable[int]) -> tuple[int, ...]:
    """Return the columns of the inverse of a matrix over GF(2) of 128 columns."""
    rows: dict[int, tuple[int, int]] = {}
    for index, column in enumerate(columns):
        value, argument = _reduced(column, 1 << index, rows)
        rows[value.bit_length()] = (value, argument)
    return tuple(_reduced(1 << bit, 0, rows)[1] for bit in range(ORBIT))


@functools.cache
def _matrix_indices(columns: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the indices for `combine_rows` that multiply by the matrix of these columns, of 128 bits each."""
    masks = [sum((column >> bit & 1) << place for place, column in enumerate(columns)) for bit in range(ORBIT)]
    return combination_indices(masks, len(columns))
