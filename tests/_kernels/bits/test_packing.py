from __future__ import annotations

import numpy as np

from qkdpost._kernels.bits.packing import copy_words


def test_words_are_copied_and_nothing_past_them() -> None:
    words = np.array([1, 2**64 - 1, 3], dtype=np.uint64)
    output = np.full(5, 9, dtype=np.uint64)
    copy_words(words, output)
    assert output.tolist() == [1, 2**64 - 1, 3, 9, 9]
    copy_words(words[:0], output)
    assert output.tolist() == [1, 2**64 - 1, 3, 9, 9]
