from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.gf2.bit_matrices import GROUP, combination_indices, combine_rows, transpose


def random_words(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 2**64, count, dtype=np.uint64)


def unpacked(rows: np.ndarray) -> np.ndarray:
    return np.unpackbits(rows.view(np.uint8), bitorder="little").reshape(-1, 512)


@pytest.mark.parametrize(("rows", "outputs"), [(4, 1), (64, 128), (128, 128)])
def test_sums_equal_a_product_of_matrices(rows: int, outputs: int) -> None:
    matrix = np.random.default_rng(rows).integers(0, 2, (outputs, rows))
    masks = [sum(int(bit) << place for place, bit in enumerate(line)) for line in matrix]
    source, found = random_words(8 * rows), np.zeros(8 * outputs, dtype=np.uint64)
    table = np.zeros((8 * rows // GROUP) << GROUP, dtype=np.uint64)
    combine_rows(source, table, combination_indices(masks, rows), found)
    assert (unpacked(found) == matrix @ unpacked(source) % 2).all()


def test_transposition() -> None:
    block = random_words(512 + 8)
    before = block.copy()
    bits = np.unpackbits(block[8:].view(np.uint8), bitorder="little").reshape(64, 8, 64)
    transpose(block, 8)
    found = np.unpackbits(block[8:].view(np.uint8), bitorder="little").reshape(64, 8, 64)
    assert (found == bits.transpose(2, 1, 0)).all()
    assert (block[:8] == before[:8]).all()
