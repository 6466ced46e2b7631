from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.gf2.polynomial_hash import GROUP, TABLE_WORDS, absorb, power_table
from reference.polynomials import integer_of, polynomial_hash, words_of

KEY = 0x0123456789ABCDEF_FEDCBA9876543210


@pytest.mark.parametrize("blocks", [*range(10), 4 * GROUP - 1, 4 * GROUP, 4 * GROUP + 4, 8 * GROUP + 5, 150])
@pytest.mark.parametrize("start", [0, 2**128 - 1])
def test_any_number_of_blocks_equals_horner(blocks: int, start: int) -> None:
    words = np.random.default_rng(blocks).integers(0, 2**64, 2 * blocks, dtype=np.uint64)
    table, state = np.zeros(TABLE_WORDS, dtype=np.uint64), words_of(start, 2)
    power_table(words_of(KEY, 2), table)
    absorb(state, table, words, blocks)
    listed = [integer_of(words[index : index + 2]) for index in range(0, 2 * blocks, 2)]
    assert integer_of(state) == polynomial_hash(listed, KEY, start)


def test_pieces_equal_the_whole() -> None:
    words = np.random.default_rng(0).integers(0, 2**64, 400, dtype=np.uint64)
    table = np.zeros(TABLE_WORDS, dtype=np.uint64)
    power_table(words_of(KEY, 2), table)
    whole, pieces = np.zeros(2, dtype=np.uint64), np.zeros(2, dtype=np.uint64)
    absorb(whole, table, words, 200)
    for start, blocks in ((0, 1), (1, 37), (38, 100), (138, 62)):
        absorb(pieces, table, words[2 * start :].copy(), blocks)
    assert (whole == pieces).all()
