"""Where edges read and write posteriors, followed step by step over several iterations."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.ldpc.posteriors import other_place_of
from qkdpost.reconciliation.ldpc.posterior_moves import posterior_moves
from qkdpost.reconciliation.ldpc_design.lifting import lift

REGISTER = 64


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("profile", [{2: 5, 3: 11, 6: 2}, {2: 5, 4: 9}, {3: 9}])
def test_every_edge_finds_what_the_one_before_has_left(size: int, profile: dict[int, int]) -> None:
    code = lift(6, profile, size, seed=3)
    step = size + REGISTER
    edges, blocks = posterior_moves(code, step)
    memory: dict[int, int] = {}
    """By place: the number within its block of the bit that lies there."""

    def lies_at(move: int, bit: int) -> int:
        return (move >> 32) + (bit + move) % size

    for column in range(code.columns):
        for bit in range(size):
            memory[lies_at(int(blocks[0, column]), bit)] = bit
    for age in range(5):
        for edge, (_, column, shift) in enumerate(code.edges.tolist()):
            move = int(edges[age % 2, edge])
            start, other = move >> 32, int(other_place_of(np.uint64(move), np.uint64(step)))
            assert {start, other} == {2 * column * step, (2 * column + 1) * step}
            read = [memory[start + (check + move) % size] for check in range(size)]
            assert read == [(check + shift) % size for check in range(size)]
            for check in range(size):
                del memory[start + check]
                memory[other + check] = read[check]
        for column in range(code.columns):
            move = int(blocks[(age + 1) % 2, column])
            assert [memory[lies_at(move, bit)] for bit in range(size)] == list(range(size))
