from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.bits.positions import list_ones
from qkdpost.bits import Bits


@pytest.mark.parametrize("invert", [False, True])
@given(
    st.integers(0, 700),
    st.sampled_from([0, 0.01, 0.1, 0.5, 0.9, 1]),
    st.integers(-(2**61), 2**61),
    st.integers(0, 2**32),
)
def test_positions_are_those_of_the_twin(invert: bool, size: int, share: float, first: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vector = rng.random(size) < share
    words = np.append(Bits.from_array(vector).words, ~np.uint64(0))
    bound = int(rng.integers(0, size + 1))
    expected = [first + place for place in range(bound) if vector[place] != invert]
    for room in (len(expected), len(expected) // 2, len(expected) + 3, 0):
        whole = np.full(room + 2, -7, dtype=np.int64)
        written = list_ones(words, bound, invert, first, whole[1 : 1 + room])
        assert written == min(room, len(expected))
        assert whole[1 : 1 + written].tolist() == expected[:written]
        assert whole[0] == whole[1 + room] == -7
