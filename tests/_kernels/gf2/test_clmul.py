from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost._kernels.gf2.clmul import GUARD_WORDS, convolve_window
from reference.polynomials import integer_of, product, words_of


def window(left: int, left_lanes: int, right: int, right_lanes: int, first: int, words: int) -> int:
    padded = np.zeros(2 * right_lanes + 2 * GUARD_WORDS, dtype=np.uint64)
    padded[GUARD_WORDS:-GUARD_WORDS] = words_of(right, 2 * right_lanes)
    output = np.full(words + GUARD_WORDS, 5, dtype=np.uint64)
    convolve_window(words_of(left, 2 * left_lanes), left_lanes, padded, right_lanes, first, output)
    return integer_of(output[:words])


@settings(deadline=None)
@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.integers(0, 12), st.integers(1, 3))
def test_any_window_equals_the_product_of_integers(
    data: st.DataObject, left_lanes: int, right_lanes: int, first: int, eights: int
) -> None:
    left = data.draw(st.integers(0, 2 ** (128 * left_lanes) - 1))
    right = data.draw(st.integers(0, 2 ** (128 * right_lanes) - 1))
    expected = product(left, right) >> (128 * first) & (2 ** (512 * eights) - 1)
    assert window(left, left_lanes, right, right_lanes, first, 8 * eights) == expected


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_all_ones(lanes: int) -> None:
    ones = 2 ** (128 * lanes) - 1
    words = (4 * lanes + 7) // 8 * 8
    assert window(ones, lanes, ones, lanes, 0, words) == product(ones, ones)
