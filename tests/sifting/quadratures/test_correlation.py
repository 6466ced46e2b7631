"""Products of outcomes that lie apart, against a slow twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.sifting.quadratures import CorrelationSums
from qkdpost.sifting.quadratures.correlation import DISTANCES

Array = np.ndarray[Any, Any]


def plain(outcomes: Array, positions: Array) -> dict[int, tuple[float, ...]]:
    """Number by number, of outcomes few enough that all are looked at."""
    every = outcomes.astype(np.float64)
    means, spreads = every.mean(axis=0), every.std(axis=0)
    at = {int(position): place for place, position in enumerate(positions)}
    found = {}
    for distance in DISTANCES:
        pairs = [(every[place], every[at[begin + distance]]) for begin, place in at.items() if begin + distance in at]
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


@pytest.mark.parametrize("left_out", [(), (0,), (2, 3, 4, 5, 17, 300, 409), tuple(range(1, 407, 2))])
@pytest.mark.parametrize("columns", [1, 2])
def test_against_the_twin(columns: int, left_out: tuple[int, ...]) -> None:
    generator = np.random.default_rng(7)
    positions = np.setdiff1d(np.arange(407 + len(left_out)), left_out)[:407]
    outcomes = generator.normal(0.2, 1.0, (407, columns)).astype(np.float32)
    if columns == 1:
        outcomes = outcomes[:, 0]
    sums = CorrelationSums("heterodyne" if columns == 2 else "homodyne", np.array(left_out, dtype=np.int64))
    for piece in np.split(outcomes, [300, 302, 303, 303, 403]):
        sums.add(piece)
    found, expected = sums.result(), plain(outcomes, positions)
    assert [one.distance for one in found][:8] == [3, 4, 5, 6, 7, 8, 16, 32]
    assert {one.distance: one.values for one in found} == {
        distance: pytest.approx(values, abs=1e-12) for distance, values in expected.items()
    }
    if not left_out:
        assert [one.pairs for one in found[:2]] == [404, 403]


@pytest.mark.parametrize("pieces", [1, 7, 128])
def test_a_sample_of_a_long_block(pieces: int) -> None:
    """Its first 2^16 outcomes, and those from 2^20 and 2^21 on, of which there are 1000."""
    sums = CorrelationSums("homodyne")
    outcomes = np.random.default_rng(8).normal(size=2**21 + 1000).astype(np.float32)
    for piece in np.array_split(outcomes, pieces):
        sums.add(piece)
    found = sums.result()
    assert [one.pairs for one in found] == [2 * (2**16 - distance) + max(0, 1000 - distance) for distance in DISTANCES]
    whole = CorrelationSums("homodyne")
    whole.add(outcomes)
    assert [one.values for one in found] == [one.values for one in whole.result()]


@pytest.mark.parametrize("distance", [3, 256, 8192, 16384])
def test_an_echo_is_found_in_short_frames_though_symbols_were_taken_out(distance: int) -> None:
    """An echo of 0.2, of which 21,000 pairs or more have a standard error of 0.007; false by chance with 10^-90."""
    generator = np.random.default_rng(9)
    noise = generator.normal(size=2**17).astype(np.float32)
    echoed = noise + np.float32(0.2) * np.roll(noise, distance)
    left_out = np.sort(generator.choice(2**17, 2**14, replace=False))
    kept = np.delete(echoed, left_out)

    def found(told: Array) -> float:
        sums = CorrelationSums("homodyne", told)
        for frame in np.array_split(kept, 14):
            sums.add(frame)
        return max(one.length for one in sums.result() if one.distance == distance)

    assert found(left_out) == pytest.approx(0.2 / 1.04, abs=0.05)
    if distance > 1000:
        assert found(left_out[:0]) < 0.05


def test_what_has_no_correlation() -> None:
    sums = CorrelationSums("heterodyne")
    assert sums.result() == ()
    sums.add(np.ones((100, 2)))
    assert sums.result() == ()
    with pytest.raises(InputError, match="shape"):
        sums.add(np.ones(100))
    with pytest.raises(InputError, match="detection"):
        CorrelationSums("both")  # type: ignore[arg-type]
    for left_out in ([2, 1], [1.5], ["one"]):
        with pytest.raises(InputError, match="left_out"):
            CorrelationSums("homodyne", left_out)
