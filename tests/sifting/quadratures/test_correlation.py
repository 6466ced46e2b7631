"""Products of outcomes that lie apart, against a slow twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.sifting.quadratures import CorrelationSums
from qkdpost.sifting.quadratures.correlation import DISTANCES

Array = np.ndarray[Any, Any]


def plain(pieces: list[Array]) -> dict[int, tuple[float, ...]]:
    """Number by number; pieces short enough that all of each is looked at."""
    every = np.concatenate(pieces).astype(np.float64)
    means, spreads = every.mean(axis=0), every.std(axis=0)
    found = {}
    for distance in DISTANCES:
        pairs = [(piece[place], piece[place + distance]) for piece in pieces for place in range(len(piece) - distance)]
        if not pairs:
            continue
        before, later = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
        if every.ndim == 1:
            found[distance] = ((np.mean(before * later) - means * means) / spreads**2,)
            continue
        found[distance] = tuple(
            (np.mean(before[:, i] * later[:, j]) - means[i] * means[j]) / spreads[i] / spreads[j]
            for i, j in ((0, 0), (1, 1), (0, 1), (1, 0))
        )
    return found


@pytest.mark.parametrize("columns", [1, 2])
def test_against_the_twin(columns: int) -> None:
    generator = np.random.default_rng(7)
    pieces = [generator.normal(0.2, 1.0, (count, columns)).astype(np.float32) for count in (300, 2, 1, 0, 100, 4)]
    if columns == 1:
        pieces = [piece[:, 0] for piece in pieces]
    sums = CorrelationSums("heterodyne" if columns == 2 else "homodyne")
    for piece in pieces:
        sums.add(piece)
    found, expected = sums.result(), plain(pieces)
    assert [one.distance for one in found] == [3, 4, 5, 6, 7, 8, 16, 32, 64, 128, 256]
    assert {one.distance: one.values for one in found} == {
        distance: pytest.approx(values, abs=1e-12) for distance, values in expected.items()
    }
    assert [one.pairs for one in found[:2]] == [297 + 97 + 1, 296 + 96]


def test_a_sample_of_a_long_piece() -> None:
    sums = CorrelationSums("homodyne")
    sums.add(np.random.default_rng(8).normal(size=2**21).astype(np.float32))
    assert [one.pairs for one in sums.result()] == [2**16 - distance for distance in DISTANCES]


def test_what_has_no_correlation() -> None:
    sums = CorrelationSums("heterodyne")
    assert sums.result() == ()
    sums.add(np.ones((100, 2)))
    assert sums.result() == ()
    with pytest.raises(InputError, match="shape"):
        sums.add(np.ones(100))
    with pytest.raises(InputError, match="detection"):
        CorrelationSums("both")  # type: ignore[arg-type]
