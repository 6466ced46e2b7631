"""Where edges read and write posteriors, followed step by step over several iterations."""

from __future__ import annotations

import pytest

from qkdpost.reconciliation.ldpc.posterior_moves import posterior_moves
from qkdpost.reconciliation.ldpc_design.lifting import lift

STRIDE_PAST_SIZE, HALF = 64, 1 << 20


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("profile", [{2: 5, 3: 11, 6: 2}, {2: 5, 4: 9}, {3: 9}])
def test_every_edge_finds_what_the_one_before_has_left(size: int, profile: dict[int, int]) -> None:
    code = lift(6, profile, size, seed=3)
    stride = size + STRIDE_PAST_SIZE
    edges, blocks = posterior_moves(code, stride, HALF)
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
            start = move >> 32
            assert start in (column * stride, column * stride + HALF)
            read = [memory[start + (check + move) % size] for check in range(size)]
            assert read == [(check + shift) % size for check in range(size)]
            for check in range(size):
                del memory[start + check]
                memory[(start ^ HALF) + check] = read[check]
        for column in range(code.columns):
            move = int(blocks[(age + 1) % 2, column])
            assert [memory[lies_at(move, bit)] for bit in range(size)] == list(range(size))
