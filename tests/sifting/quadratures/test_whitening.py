from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.sifting.quadratures import ChannelEstimate, estimate_channel, measured_quadratures, whiten
from qkdpost.statistics.gaussian.moments import Whitening

Array = np.ndarray[Any, Any]
COUNT = 20_000
GENERATOR = np.random.default_rng(7)
X = GENERATOR.normal(0.0, 2.0, (COUNT, 2)).astype(np.float32)
NOISE = GENERATOR.normal(0.0, 1.0, (COUNT, 2))
CHOICES = Bits.from_array(GENERATOR.integers(0, 2, COUNT))


def turned(angle: float, *, mirrored: bool = False) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]]) @ np.diag([1.0, -1.0 if mirrored else 1.0])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 1.0, 3.0])
def test_any_rotation_gain_and_offset_is_undone(angle: float, mirrored: bool) -> None:
    device = np.array([[20.0, 3.0], [0.0, 15.0]]) @ turned(angle, mirrored=mirrored)
    y = (0.4 * X + NOISE) @ device.T + (5.0, -70.0)
    found = estimate_channel(X, y)
    # Signal to noise 4 * 0.16 of every direction; gain sqrt(0.16 / 1.64) in units of the whole variance.
    assert found.signal_to_noise == pytest.approx(0.64, rel=0.05)
    assert found.gain == pytest.approx(0.4 / np.sqrt(1.64), rel=0.02)
    assert found.noise_variance == pytest.approx(1.0 / 1.64, rel=0.02)
    assert found.modulation_variance == pytest.approx(4.0, rel=0.03)
    white = whiten(y, found.whitening).astype(np.float64)
    assert np.cov(white.T) == pytest.approx(np.eye(2), abs=1e-4)
    assert np.abs(white.mean(axis=0)).max() < 0.05
    slopes = np.linalg.lstsq(X, white, rcond=None)[0].T
    assert slopes[0, 1] == pytest.approx(slopes[1, 0], abs=1e-3)
    assert min(np.diag(slopes)) > 0.29


def test_one_quadrature_each() -> None:
    kept = measured_quadratures(X, CHOICES)
    chosen = np.asarray(CHOICES).astype(bool)
    assert (kept == np.where(chosen, X[:, 1], X[:, 0])).all()
    y = np.where(chosen, 50.0 - 30.0 * (0.4 * kept + NOISE[:, 1]), 20.0 * (0.4 * kept + NOISE[:, 0]) - 9.0)
    found = estimate_channel(kept, y, CHOICES)
    assert found.signal_to_noise == pytest.approx(0.64, rel=0.05)
    assert found.whitening.matrix[1:3] == (0.0, 0.0)
    white = whiten(y, found.whitening, CHOICES).astype(np.float64)
    for own in (chosen, ~chosen):
        assert white[own].var() == pytest.approx(1.0, abs=1e-3)
        assert float(white[own] @ kept[own]) > 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_whitening_as_it_is_written(dtype: type) -> None:
    values = (100 * NOISE[:500]).astype(dtype)
    whitening = Whitening(centre=(3.0, -4.0), matrix=(0.1, 0.02, -0.03, 0.2))
    expected = (values - np.array([3.0, -4.0])) @ np.array([[0.1, 0.02], [-0.03, 0.2]]).T
    assert whiten(values, whitening) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:999], NOISE[:999], "at least 1000"),
        (np.zeros((2000, 2)), NOISE[:2000], "symbols must vary"),
        (X[:, :1].repeat(2, axis=1), NOISE, "symbols must vary"),
        (X, np.zeros((COUNT, 2)), "outcomes must vary"),
        (X, 3.0 * X, "more than the disclosed symbols explain"),
        (X, NOISE[:, :1].repeat(2, axis=1), "outcomes must vary"),
        (X, NOISE[:-1], "as many symbols"),
        (X, np.full((COUNT, 2), np.nan), "NaN"),
    ],
)
def test_symbols_that_tell_nothing_are_refused(x: Array, y: Array, message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimate_channel(x, y)


def test_an_estimate_is_above_zero() -> None:
    good = {"gain": 0.3, "noise_variance": 0.6, "modulation_variance": 4.0}
    whitening = Whitening(centre=(0.0, 0.0), matrix=(1.0, 0.0, 0.0, 1.0))
    assert ChannelEstimate(whitening=whitening, **good).signal_to_noise == pytest.approx(0.6)
    for name in good:
        for value in (0.0, -1.0, float("nan")):
            with pytest.raises(InputError, match=name):
                ChannelEstimate(whitening=whitening, **good | {name: value})


def test_choices_that_do_not_fit() -> None:
    whitening = Whitening(centre=(0.0, 0.0), matrix=(1.0, 0.1, 0.0, 1.0))
    with pytest.raises(InputError, match="diagonal"):
        whiten(NOISE[:, 0], whitening, CHOICES)
    with pytest.raises(InputError, match="one entry per symbol"):
        measured_quadratures(X[:-1], CHOICES)
    with pytest.raises(InputError, match="shape"):
        whiten(NOISE[:, 0], whitening)
