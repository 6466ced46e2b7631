from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.gf2.polynomial_hash import GROUP, TABLE_WORDS, VECTOR_OCTETS, absorb, absorb_octets, power_table
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


@pytest.mark.parametrize("vectors", [0, 1, 2, GROUP, GROUP + 1, 3 * GROUP + 2])
@pytest.mark.parametrize("start", [0, 1, 7, 8, 63])
def test_octets_equal_words_wherever_they_lie(vectors: int, start: int) -> None:
    data = np.random.default_rng(vectors).bytes(start + VECTOR_OCTETS * vectors)
    table = np.zeros(TABLE_WORDS, dtype=np.uint64)
    power_table(words_of(KEY, 2), table)
    of_words, of_octets = words_of(KEY, 2), words_of(KEY, 2)
    absorb(of_words, table, np.frombuffer(bytearray(data[start:] + bytes(8)), dtype=np.uint64), 4 * vectors)
    absorb_octets(of_octets, table, np.frombuffer(data + bytes(1), np.uint8, -1, start), vectors)
    assert (of_words == of_octets).all()
