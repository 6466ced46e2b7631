from __future__ import annotations

import numpy as np
import pytest

from qkdpost._kernels.gf2.algebraic_check import masked_value
from reference.manipulation import value


def number(words: np.ndarray) -> int:  # type: ignore[type-arg]
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 33])
def test_the_value_is_that_of_the_formula_and_its_arguments_stay(blocks: int) -> None:
    generator = np.random.default_rng(blocks)
    words, point, mask = (generator.integers(0, 2**64, size, dtype=np.uint64) for size in (2 * blocks, 2, 2))
    before = words.copy(), point.copy(), mask.copy()
    output = np.full(2, 7, dtype=np.uint64)
    masked_value(words, blocks, point, mask, output)
    elements = [number(words[2 * place : 2 * place + 2]) for place in range(blocks)]
    assert number(output) == value(elements[::-1], number(point)) ^ number(mask)
    assert all(np.array_equal(old, new) for old, new in zip(before, (words, point, mask), strict=True))
