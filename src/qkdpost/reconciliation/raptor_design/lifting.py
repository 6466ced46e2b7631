"""From degree numbers and a seed to a raptor-like family, bit for bit the same everywhere.

The precode: information columns of degree 3, parity columns of degree 2 in one closed zigzag, every check of degree 5.
Extension rows: a number of core columns by the row's place, so that the rows up to any place have the degrees that are
good for the rate there. The shares of degrees at five rates are those of K. Cil and L. Schmalen, arXiv:2408.00569;
which rows have edges to parity columns was found by decoding. Edges go to the columns that have fewest, ties by the
seed; each shift is one that closes fewest cycles of length 4, ties by the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc_design.lifting import Stream
from qkdpost.reconciliation.raptor.code import RaptorCode

__all__ = ["build_family", "count_short_cycles"]

_STRETCHES: tuple[dict[tuple[int, int], int], ...] = (
    {(3, 0): 70, (4, 0): 40, (3, 1): 10},
    {(2, 0): 50, (3, 0): 100, (3, 1): 20, (4, 1): 30},
    {(2, 0): 130, (3, 0): 140, (2, 1): 80, (3, 1): 40, (4, 1): 10},
    {(2, 0): 430, (3, 0): 360, (2, 1): 170, (3, 1): 240},
    {(2, 0): 690, (3, 0): 620, (2, 1): 300, (3, 1): 370, (4, 1): 20},
)
"""Rows by their information and parity edges, for 40 information columns, that take the rate to 0.2, 0.1, 0.05, 0.02
and 0.01. Edges to parity columns are in the rows of highest degree: at rate 0.1 and an efficiency of 0.92 all of 16
frames decode so, 7 with these edges in rows of degree 3 and none in rows of degree 2."""
_MAX_ROWS = sum(sum(kinds.values()) for kinds in _STRETCHES)
_INCREMENT_DEGREE = 3

Edge = tuple[int, int]


class _Growing:
    """Which differences of shifts each pair of columns has, and how many edges each column."""

    def __init__(self, columns: int, lift: int, seed: int) -> None:
        self.lift = lift
        self.stream = Stream(seed)
        self.degrees = [0] * columns
        self.pairs = np.zeros((columns, columns), dtype=np.int64)
        self._differences = np.zeros((columns, columns, lift), dtype=np.int32)
        self.four_cycles = 0

    def pick(self, candidates: Sequence[int], chosen: Sequence[int]) -> int:
        """Return the candidate of fewest edges, then of fewest rows shared with those chosen, ties by the seed."""

        def merit(column: int) -> tuple[int, int, int]:
            return self.degrees[column], sum(int(self.pairs[column, other]) for other in chosen), self.stream.draw()

        return min((column for column in candidates if column not in chosen), key=merit)

    def add(self, columns: Sequence[int], fixed: Sequence[Edge] = ()) -> list[Edge]:
        """Return edges of one row to `columns`, with shifts chosen, and to the `fixed` ones."""
        edges: list[Edge] = []
        for column, shift in fixed:
            self._note(edges, column, shift)
        for column in columns:
            closed = np.zeros(self.lift, dtype=np.int64)
            for other, shift in edges:
                closed += np.roll(self._differences[column, other], shift)
            best = np.flatnonzero(closed == closed.min())
            self._note(edges, column, int(best[self.stream.below(best.size)]))
        return sorted(edges)

    def _note(self, edges: list[Edge], column: int, shift: int) -> None:
        for other, other_shift in edges:
            difference = (shift - other_shift) % self.lift
            self.four_cycles += int(self._differences[column, other, difference])
            self._differences[column, other, difference] += 1
            self._differences[other, column, -difference % self.lift] += 1
            self.pairs[column, other] += 1
            self.pairs[other, column] += 1
        self.degrees[column] += 1
        edges.append((column, shift))


def build_family(
    name: str, *, lift: int, info_columns: int, extension_rows: int, increments: int, seed: int
) -> RaptorCode:
    """Return a family of codes; the shipped ones come from here.

    Args:
        name: of the family.
        lift: bits of a circulant, a power of two.
        info_columns: columns of information, and as many of parity; 4 or more.
        extension_rows: how many; at most 98 for each information column.
        increments: how many.
        seed: of every choice.

    Raises:
        InputError: a number outside its range.
    """
    if info_columns < 4 or 40 * extension_rows > _MAX_ROWS * info_columns:
        raise InputError("a family has 4 information columns or more, and at most 98 extension rows for each")
    growing = _Growing(2 * info_columns, lift, seed)
    precode = _precode(growing, info_columns)
    growing.degrees = [0] * (2 * info_columns)
    extension = _extension(growing, info_columns, extension_rows)
    more = [_row(growing, info_columns, _INCREMENT_DEGREE, parity=0) for _ in range(increments)]
    table = [
        (section, row, *edge)
        for section, rows in enumerate((precode, extension, more))
        for row, edges in enumerate(rows)
        for edge in edges
    ]
    return RaptorCode.of_table(
        np.array(table, dtype=np.uint16), name=name, lift=lift, info_columns=info_columns, parity_columns=info_columns
    )


def _precode(growing: _Growing, count: int) -> list[list[Edge]]:
    """Return rows of three information columns and of two parity columns in a zigzag that closes after `lift` turns."""
    rows = []
    filled: list[list[int]] = [[] for _ in range(count)]
    for _ in range(3):
        for column in _permutation(count, growing.stream, lambda row, column: column not in filled[row]):
            filled[column[0]].append(column[1])
    for row in range(count):
        turn = 1 if row == 0 else 0
        zigzag = [(count + row, 0), (count + (row - 1) % count, turn)]
        rows.append(growing.add(filled[row], fixed=zigzag))
    return rows


def _permutation(count: int, stream: Stream, fits: Callable[[int, int], bool]) -> list[Edge]:
    """Return rows with a column each, such that every pair fits."""
    while True:
        order = sorted(range(count), key=lambda _: stream.draw())
        pairs = list(enumerate(order))
        if all(fits(row, column) for row, column in pairs):
            return pairs


def _extension(growing: _Growing, info_columns: int, count: int) -> list[list[Edge]]:
    """Return rows whose kinds are spread evenly within each stretch."""
    rows: list[list[Edge]] = []
    for kinds in _STRETCHES:
        made = dict.fromkeys(kinds, 0)
        total = sum(kinds.values())
        for row in range(total * info_columns // 40):
            if len(rows) == count:
                return rows
            missing = {kind: number * (row + 1) - made[kind] * total for kind, number in kinds.items()}
            kind = max(missing, key=lambda candidate: (missing[candidate], candidate))
            made[kind] += 1
            rows.append(_row(growing, info_columns, *kind))
    return rows


def _row(growing: _Growing, info_columns: int, information: int, parity: int) -> list[Edge]:
    chosen: list[int] = []
    for _ in range(information):
        chosen.append(growing.pick(range(info_columns), chosen))
    for _ in range(parity):
        chosen.append(growing.pick(range(info_columns, 2 * info_columns), chosen))
    return growing.add(chosen)


def count_short_cycles(code: RaptorCode, extension_rows: int, *, increments: int = 0) -> int:
    """Return the base cycles of length 4 among precode, the first extension rows and the first increments."""
    seen: dict[tuple[int, int, int], int] = {}
    sections = (code.precode, code.extension.first(extension_rows), code.increments.first(increments))
    for rows in sections:
        starts = rows.row_starts.astype(np.int64)
        for row in range(rows.count):
            columns, shifts = _ints(rows.columns, starts, row), _ints(rows.shifts, starts, row)
            for first in range(len(columns)):
                for second in range(first + 1, len(columns)):
                    key = (columns[first], columns[second], (shifts[second] - shifts[first]) % code.lift)
                    seen[key] = seen.get(key, 0) + 1
    return sum(count * (count - 1) // 2 for count in seen.values())


def _ints(values: NDArray[np.uint64], starts: NDArray[np.int64], row: int) -> list[int]:
    return [int(value) for value in values[starts[row] : starts[row + 1]]]
