"""What ships: which rates and lengths, and by which search the degrees of each code come about.

Frames of 2^14 and 2^16 bits are decoded mostly by the fast decoder: their degrees are made for arithmetic in eight
bits, and held low enough for it. Longer frames are made for the accurate decoder, with columns of higher degree; where
a protograph of 256 columns has too few rows for these, it has 512 columns and blocks of half the size. Columns of
degree 2 stay fewer than the rows, so that one chain without a cycle holds them: more of them would gain 0.001 to 0.006.

The arithmetic in eight bits of the search, and of the thresholds that the manifest has for it, is a simpler one than
the fast decoder's: a check is corrected by one line, and counts in half units inside. With three lines the decoder does
better than these thresholds say. Degrees searched for that arithmetic were no better, by frames, than those of the
finest with a highest degree that is held low.

Below 1.2 % of errors or so frames of 2^16 bits have protographs of 512 columns, too, since columns cannot meet more
checks than there are rows, and rare errors want columns of high degree. Of 36 at most, they need 0.01 to 0.02 less than
with 256 columns; of 50 the fast decoder makes no more of them, and loses more once bits are punctured. A check sums
some 70 to 290 bits there, so that flooding says little of a decoder that goes layer by layer, and their evolution has
layers too. Those with the fewest checks serve links of longer frames where they disclose less. Frames of 2^14 bits have
none: one holds some sixteen errors at 0.1 %, which scatter more than a better code would gain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from qkdpost.reconciliation.ldpc.decoders import Arithmetic
from qkdpost.reconciliation.ldpc_design.degree_search import DegreeSearch, search_degrees
from qkdpost.reconciliation.ldpc_design.density_evolution import FINE

__all__ = ["Member", "decoder_arithmetic", "find_degrees", "members"]

_DEGREES = (2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 27, 30, 33, 36, 40, 45, 50)
_RATES = (12, 13, 14, 16, 18, 20, 23, 26, 30, 34, 39, 45, 52, 59, 67, 76, 86, 97, 110, 124, 140, 156)
"""Checks for each 256 bits."""
_LOW_ROWS = (10, 12, 16, 20, 24, 26, 28, 32, 36, 40, 46, 52, 60)
"""Checks for each 512 bits, of the codes for low error rates."""
_MOST_LOW_DEGREE = 36
"""Of their columns."""
_LOW_LAYERS = 4
"""Of their evolution, in so many iterations: of layers, half as many as of flooding."""
_LOW_ITERATIONS = 80
_BYTES_OF_FEW_CHECKS = Arithmetic(units_per_nat=3, correction=17, max_magnitude=36)
_BYTES_OF_MANY_CHECKS = Arithmetic(units_per_nat=4, correction=21, max_magnitude=40)
"""Corrections in quarters of a half unit, as `node_densities.check_table` takes them."""
_WIDTH = 256
_MAX_ROWS_OF_WIDE = 39
"""Up to which rate long frames have protographs of twice the width."""
_FINE_ITERATIONS = 160
_FAST_ITERATIONS = 80
"""Flooding iterations within which an ensemble must converge, about twice those of the layered schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One code of the family.

    Args:
        rows: block rows.
        width: block columns.
        size: bits of a block.
        max_degree: of a column.
        fast: made for the arithmetic of the fast decoder.
        layers: of the evolution by which the degrees are found.
    """

    rows: int
    width: int
    size: int
    max_degree: int
    fast: bool
    layers: int = 1

    @property
    def name(self) -> str:
        """The code's name: rows and size."""
        return f"qc{self.rows:03d}-{self.size:04d}"

    @property
    def search(self) -> DegreeSearch:
        """What is looked for, in the finest arithmetic."""
        return DegreeSearch(
            rows=self.rows,
            width=self.width,
            iterations=_FINE_ITERATIONS if self.layers == 1 else _LOW_ITERATIONS,
            degrees=tuple(degree for degree in _DEGREES if degree <= min(self.max_degree, self.rows)),
            max_of_degree_two=self.rows - 1,
            layers=self.layers,
        )

    @property
    def arithmetic(self) -> Arithmetic:
        """Of the decoder that the code is made for."""
        return decoder_arithmetic(self.rows, self.width) if self.fast else FINE


def decoder_arithmetic(rows: int, width: int) -> Arithmetic:
    """Return how a decoder in eight bits counts for which a code of so many rows and columns is designed."""
    return _BYTES_OF_MANY_CHECKS if 100 * rows > 36 * width else _BYTES_OF_FEW_CHECKS


def members() -> tuple[Member, ...]:
    """Return the codes of the family, short frames first."""
    found = []
    for size in (64, 256):
        if size == 256:
            found += _low_members(128)
        for rows in _RATES:
            if size == 256 and 2 * rows in _LOW_ROWS:
                continue
            max_degree = 24 if 100 * rows > 36 * _WIDTH else 36
            found.append(Member(rows=rows, width=_WIDTH, size=size, max_degree=max_degree, fast=True))
    for size in (1024, 4096):
        for rows in _RATES:
            wide = 2 if rows <= _MAX_ROWS_OF_WIDE else 1
            found.append(Member(rows=wide * rows, width=wide * _WIDTH, size=size // wide, max_degree=50, fast=False))
    return tuple(found)


def _low_members(size: int) -> list[Member]:
    """Return the codes for low error rates with blocks of so many bits, 512 of them in a frame."""
    return [
        Member(
            rows=rows,
            width=2 * _WIDTH,
            size=size,
            max_degree=min(rows, _MOST_LOW_DEGREE),
            fast=False,
            layers=_LOW_LAYERS,
        )
        for rows in _LOW_ROWS
    ]


def find_degrees(member: Member) -> dict[int, int]:
    """Return the column degrees of a code: searched for in the finest arithmetic, then from there in its decoder's."""
    if not member.fast:
        return search_degrees(member.search)[0]
    columns, _ = search_degrees(replace(member.search, steps=6, rounds=0))
    fast = replace(member.search, arithmetic=member.arithmetic, iterations=_FAST_ITERATIONS, steps=4, rounds=1)
    return search_degrees(fast, columns)[0]
