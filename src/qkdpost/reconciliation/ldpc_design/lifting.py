"""From degrees to a code: a protograph with rows of even degree, lifted by progressive edge growth.

Every choice is made by integers from a seed, so that a shipped table comes out again bit for bit.
Progressive edge growth: Hu, Eleftheriou and Arnold, IEEE Trans. Inf. Theory 51, 386 (2005), here for circulants.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.lifting import measure_distances
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode

__all__ = ["Stream", "base_graph", "count_short_cycles", "lift"]

_WORD = (1 << 64) - 1
_LOW_DEGREE = 3
_LARGE = 1 << 16


class Stream:
    """Numbers from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _WORD

    def draw(self) -> int:
        """Return the next word of 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _WORD
        word = self._state
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
        return word ^ (word >> 31)

    def below(self, bound: int) -> int:
        """Return a number from 0 to `bound` - 1."""
        return (self.draw() * bound) >> 64


def base_graph(rows: int, columns: Mapping[int, int], seed: int) -> list[list[int]]:
    """Return the rows of each column of the protograph, columns in the order of their degrees.

    Columns of degree 2 form one chain through the rows, so that they close no cycle among themselves. The rest go,
    highest degree first, to the rows with most room, ties by `seed`; rows end within one edge of each other.

    Raises:
        InputError: as many columns of degree 2 as rows, or more; or a degree above the number of rows.
    """
    chain = columns.get(2, 0)
    if chain >= rows or max(columns) > rows or min(columns) < 2:
        raise InputError("degrees must be 2 to the number of rows, with fewer columns of degree 2 than rows")
    stream = Stream(seed)
    filled = [0] * rows
    graph = [[link, link + 1] for link in range(chain)]
    for link in range(chain):
        filled[link] += 1
        filled[link + 1] += 1
    rest: list[list[int]] = []
    for degree in sorted((degree for degree in columns if degree > 2), reverse=True):
        for _ in range(columns[degree]):
            order = sorted(range(rows), key=lambda row: (filled[row], stream.draw()))
            chosen = sorted(order[:degree])
            for row in chosen:
                filled[row] += 1
            rest.append(chosen)
    return graph + rest[::-1]


def lift(rows: int, columns: Mapping[int, int], size: int, seed: int, depth: int = 8) -> QuasiCyclicCode:
    """Return a code with the given column degrees whose shifts avoid short cycles.

    Column by column from low degree to high, each edge takes a shift whose check is farthest from the column's bit in
    the graph so far, ties by `seed`; where a cycle of length 4 is left no choice, one that closes fewest.

    Args:
        rows: block rows.
        columns: degree to number of block columns.
        size: bits of a block.
        seed: of all choices.
        depth: how many checks far to look from columns of degree 2 and 3, whose short cycles make the words of low
            weight; cycles of up to twice this length are seen. From others cycles of length 4 alone.
    """
    graph = base_graph(rows, columns, seed)
    growing = _Growing(rows, graph, size)
    stream = Stream(seed ^ size << 32)
    edges = []
    for column in sorted(range(len(graph)), key=lambda place: _turn(len(graph[place]))):
        column_rows = graph[column]
        look = depth if len(column_rows) <= _LOW_DEGREE else 2
        for number, row in enumerate(column_rows):
            merit = growing.merit(column, row, look) if number else np.zeros(size, dtype=np.int64)
            best = np.flatnonzero(merit == merit.max())
            shift = int(best[stream.below(best.size)])
            growing.add(column, row, shift)
            edges.append((row, column, shift))
    table = np.array(sorted(edges), dtype=np.uint16)
    return QuasiCyclicCode(rows=rows, columns=len(graph), size=size, edges=table)


def _turn(degree: int) -> int:
    """Return a key: columns of low degree come first, then the highest, which need most freedom."""
    return degree - _LARGE if degree <= _LOW_DEGREE else -degree


class _Growing:
    """The graph so far, in the arrays that the kernel reads."""

    def __init__(self, rows: int, graph: list[list[int]], size: int) -> None:
        columns = len(graph)
        widest_row = int(np.bincount([row for column in graph for row in column]).max())
        widest_column = max(len(column) for column in graph)
        self._size = size
        self._column_degrees = np.zeros(columns, dtype=np.int32)
        self._column_rows = np.zeros((columns, widest_column), dtype=np.int32)
        self._column_shifts = np.zeros((columns, widest_column), dtype=np.int32)
        self._row_degrees = np.zeros(rows, dtype=np.int32)
        self._row_columns = np.zeros((rows, widest_row), dtype=np.int32)
        self._row_shifts = np.zeros((rows, widest_row), dtype=np.int32)
        self._shift_of = np.full((rows, columns), -1, dtype=np.int64)
        self._distances = np.zeros(rows * size, dtype=np.int32)
        self._seen = np.zeros(columns * size, dtype=np.uint8)
        self._queue = np.zeros(columns * size, dtype=np.int32)

    def merit(self, column: int, row: int, depth: int) -> NDArray[np.int64]:
        """Return for each shift of an edge between `column` and `row` how good it would be, the most the best."""
        measure_distances(
            column, self._size, depth,
            self._column_degrees, self._column_rows, self._column_shifts,
            self._row_degrees, self._row_columns, self._row_shifts,
            self._distances, self._seen, self._queue,
        )  # fmt: skip
        distances = self._distances[row * self._size : (row + 1) * self._size].astype(np.int64)
        by_shift = np.roll(distances[::-1], 1)
        return by_shift if by_shift.max() > 2 else -self._closed(column, row)

    def _closed(self, column: int, row: int) -> NDArray[np.int64]:
        """Return for each shift of an edge between `column` and `row` how many cycles of length 4 it would close."""
        closed = np.zeros(self._size, dtype=np.int64)
        for place in range(self._column_degrees[column]):
            other = int(self._column_rows[column, place])
            common = np.flatnonzero((self._shift_of[other] >= 0) & (self._shift_of[row] >= 0))
            shifts = self._shift_of[row, common] - self._shift_of[other, common] + self._column_shifts[column, place]
            closed += np.bincount(shifts % self._size, minlength=self._size)
        return closed

    def add(self, column: int, row: int, shift: int) -> None:
        """Add a base edge."""
        place = self._column_degrees[column]
        self._column_rows[column, place], self._column_shifts[column, place] = row, shift
        self._column_degrees[column] += 1
        place = self._row_degrees[row]
        self._row_columns[row, place], self._row_shifts[row, place] = column, shift
        self._row_degrees[row] += 1
        self._shift_of[row, column] = shift


def count_short_cycles(code: QuasiCyclicCode) -> int:
    """Return the number of cycles of length 4 through the first bit of each column, each counted once a column pair."""
    seen: dict[tuple[int, int, int], int] = {}
    for column in range(code.columns):
        own = code.edges[code.edges[:, 1] == column].astype(np.int64)
        for first in range(len(own)):
            for second in range(first + 1, len(own)):
                difference = int(own[second, 2] - own[first, 2]) % code.size
                key = (int(own[first, 0]), int(own[second, 0]), difference)
                seen[key] = seen.get(key, 0) + 1
    return sum(count * (count - 1) // 2 for count in seen.values())
