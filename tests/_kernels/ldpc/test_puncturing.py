"""The choice of bits to puncture, beside one by sets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.puncturing import select_pivoted

COLUMNS, ROWS, SIZE, DEGREE = 9, 5, 64, 3
STARTS = np.arange(0, DEGREE * COLUMNS + 1, DEGREE, dtype=np.uint64)


def _code(generator: np.random.Generator) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    rows = np.concatenate([np.sort(generator.choice(ROWS, DEGREE, replace=False)) for _ in range(COLUMNS)])
    return rows.astype(np.uint64), generator.integers(0, SIZE, rows.size, dtype=np.uint64)


@pytest.mark.parametrize("passes", [(0,), (0, 1), (2,), (0, 1, 2, 3)])
def test_bits_are_chosen_as_by_sets(passes: tuple[int, ...]) -> None:
    generator = np.random.default_rng(3)
    rows, shifts = _code(generator)
    candidates = generator.permutation(COLUMNS * SIZE)[:400].astype(np.uint32)
    tainted, used = np.zeros(ROWS * SIZE, dtype=np.uint8), np.zeros(COLUMNS * SIZE, dtype=np.uint8)
    output = np.zeros_like(candidates)
    found: list[int] = []
    for most in passes:
        count = select_pivoted(candidates, STARTS, rows, shifts, SIZE, most, tainted, used, output)
        found += output[:count].tolist()

    def checks(bit: int) -> set[int]:
        column, offset = divmod(bit, SIZE)
        edges = range(DEGREE * column, DEGREE * (column + 1))
        return {int(rows[edge]) * SIZE + (offset - int(shifts[edge])) % SIZE for edge in edges}

    expected: list[int] = []
    taken: set[int] = set()
    for most in passes:
        for bit in candidates.tolist():
            if bit not in expected and len(checks(bit) & taken) <= min(most, DEGREE - 1):
                expected.append(bit)
                taken |= checks(bit)
    assert found == expected != []
    assert np.array_equal(np.flatnonzero(tainted), sorted(taken))
    assert np.array_equal(np.flatnonzero(used), sorted(expected))


@pytest.mark.parametrize("room", [0, 1, 7])
def test_the_choice_ends_when_there_is_no_more_room(room: int) -> None:
    generator = np.random.default_rng(4)
    rows, shifts = _code(generator)
    candidates = generator.permutation(COLUMNS * SIZE).astype(np.uint32)
    chosen = []
    for output in (np.zeros_like(candidates), np.zeros(room, dtype=np.uint32)):
        tainted, used = np.zeros(ROWS * SIZE, dtype=np.uint8), np.zeros(COLUMNS * SIZE, dtype=np.uint8)
        count = select_pivoted(candidates, STARTS, rows, shifts, SIZE, 0, tainted, used, output)
        assert np.count_nonzero(used) == count
        chosen.append(output[:count].tolist())
    assert chosen[1] == chosen[0][:room]
    assert len(chosen[1]) == room
