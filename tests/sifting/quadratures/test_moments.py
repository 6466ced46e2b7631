"""Sums beside plain ones, however the symbols are divided."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.sifting.quadratures import MomentSums, calibration_moments, estimate_channel, whiten
from qkdpost.statistics.gaussian.moments import LAGS, CalibrationMoments, QuadratureMoments

Array = np.ndarray[Any, Any]


def drawn(count: int, seed: int = 1) -> tuple[Array, Array, Bits]:
    generator = np.random.default_rng(seed)
    x = generator.normal(0.1, 2.0, (count, 2)).astype(np.float32)
    y = (0.4 * x + generator.normal(0.2, 1.0, (count, 2))).astype(np.float32)
    return x, y, Bits.from_array(generator.integers(0, 2, count))


def plain_sums(x: Array, y: Array) -> QuadratureMoments:
    """Everything in float64, in one piece."""
    a, b = x.astype(np.float64), y.astype(np.float64)
    lagged: list[float] = []
    for lag in range(1, LAGS + 1):
        before, after = b[:-lag], b[lag:]
        lagged += [(before[:, i] * after[:, j]).sum() for i, j in ((0, 0), (1, 1), (0, 1), (1, 0))]
    return QuadratureMoments(
        counts=(len(a), len(a)),
        sent=a.sum(axis=0),
        measured=b.sum(axis=0),
        sent_squares=[(a[:, i] * a[:, j]).sum() for i, j in ((0, 0), (1, 1), (0, 1))],
        measured_squares=[(b[:, i] * b[:, j]).sum() for i, j in ((0, 0), (1, 1), (0, 1))],
        products=[(a[:, i] * b[:, j]).sum() for i, j in ((0, 0), (1, 1), (0, 1), (1, 0))],
        fourth_powers=(b**4).sum(axis=0),
        lagged=lagged,
    )


def assert_close(found: QuadratureMoments | CalibrationMoments, expected: object, count: int) -> None:
    for item in fields(found):
        own, other = np.array(getattr(found, item.name)), np.array(getattr(expected, item.name))
        assert np.abs(own - other).max() <= 2**-40 * 200 * max(count, 1), item.name


def summed(x: Array, y: Array, edges: list[int], choices: Bits | None = None) -> QuadratureMoments:
    sums = MomentSums("heterodyne" if choices is None else "homodyne")
    for start, stop in zip([0, *edges], [*edges, len(x)], strict=True):
        sums.add(x[start:stop], y[start:stop], None if choices is None else choices[start:stop])
    return sums.result()


@given(st.integers(3, 3000), st.data())
def test_both_quadratures_in_any_pieces(count: int, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    x, y, _ = drawn(count, seed=count)
    assert_close(summed(x, y, edges), plain_sums(x, y), count)


@given(st.integers(3, 2000), st.data())
def test_one_quadrature_in_any_pieces(count: int, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    x, y, choices = drawn(count, seed=count)
    chosen = np.asarray(choices).astype(bool)
    mask = np.column_stack((~chosen, chosen))
    kept, series = np.where(chosen, x[:, 1], x[:, 0]), np.where(chosen, y[:, 1], y[:, 0])
    found = summed(kept, series, edges, choices)
    expected = plain_sums(x * mask, y * mask)
    assert found.counts == (count - choices.weight(), choices.weight())
    for name in ("sent", "measured", "sent_squares", "measured_squares", "products", "fourth_powers"):
        assert np.array(getattr(found, name)) == pytest.approx(np.array(getattr(expected, name)), abs=1e-7), name
    wide = series.astype(np.float64)
    for lag in range(1, LAGS + 1):
        assert found.lagged[4 * (lag - 1)] == pytest.approx((wide[:-lag] * wide[lag:]).sum(), abs=1e-7)
        assert found.lagged[4 * (lag - 1) + 1 : 4 * lag] == (0.0, 0.0, 0.0)


@pytest.mark.slow
def test_the_stated_precision_at_length() -> None:
    x, y, _ = drawn(2**22)
    found = summed(x, y, [2**20 + 1, 2**21 - 5])
    expected = plain_sums(x.astype(np.longdouble), y.astype(np.longdouble))
    for name in ("sent_squares", "measured_squares", "products", "fourth_powers"):
        assert np.array(getattr(found, name)) == pytest.approx(np.array(getattr(expected, name)), rel=2**-38), name


def test_calibration_records() -> None:
    record = np.random.default_rng(3).normal(1.0, 20.0, (5000, 2)).astype(np.float32)
    found = calibration_moments(record, None)
    plain = plain_sums(record, record)
    assert found.counts == (5000, 5000)
    assert found.measured == pytest.approx(plain.measured, rel=1e-12)
    assert found.measured_squares == pytest.approx(plain.measured_squares, rel=1e-12)
    assert found.lagged == pytest.approx((*plain.lagged[0:2], *plain.lagged[4:6]), rel=1e-12)
    one = calibration_moments(record[:, 0], None)
    assert one.counts == (5000, 5000)
    assert one.measured_squares == pytest.approx((plain.measured_squares[0],) * 2 + (0.0,), rel=1e-12)
    assert one.lagged == pytest.approx((plain.lagged[0],) * 2 + (plain.lagged[4],) * 2, rel=1e-12)


def test_integers_are_dithered_in_calibration() -> None:
    record = np.rint(np.random.default_rng(3).normal(1.0, 20.0, (2**17, 2))).astype(np.int16)
    raw = calibration_moments(record, None)
    found = calibration_moments(record, 3.0)
    added = [(a - b) / 2**17 for a, b in zip(found.measured_squares[:2], raw.measured_squares[:2], strict=True)]
    # 9 is added, with a standard error of 0.33 from the product of dither and outcome: 6.5 of them, 1e-10.
    assert added == pytest.approx([9.0, 9.0], abs=6.5 * 0.34)


def test_what_does_not_fit_is_refused() -> None:
    x, y, choices = drawn(10)
    both, one = MomentSums("heterodyne"), MomentSums("homodyne")
    with pytest.raises(InputError, match="as many symbols"):
        both.add(x, y[:9])
    with pytest.raises(InputError, match="shape"):
        both.add(x[:, 0], y[:, 0])
    with pytest.raises(InputError, match="homodyne detection"):
        both.add(x, y, choices)
    with pytest.raises(InputError, match="quadratures must be a Bits"):
        one.add(x[:, 0], y[:, 0])
    with pytest.raises(InputError, match="one entry for each"):
        one.add(x[:9, 0], y[:9, 0], choices)
    for wrong in (np.nan, np.inf, -np.inf, 1e300):
        for place in (0, 9):
            spoilt = y.astype(np.float64)
            spoilt[place, 1] = wrong
            with pytest.raises(InputError, match="NaN"):
                MomentSums("heterodyne").add(x, spoilt)
            with pytest.raises(InputError, match="NaN"):
                MomentSums("heterodyne").add(spoilt, y)
    with pytest.raises(InputError, match="detection must be one of"):
        MomentSums("both")  # type: ignore[arg-type]


def test_the_record_of_another_program(data_directory: Path) -> None:
    """Sums, gain and noise as that program found them; its estimate of the excess noise is negative, and no error."""
    folder = data_directory / "cv_synthetic"
    data = np.load(folder / "synthetic_gmcs_het.npz")
    expected = json.loads((folder / "synthetic_gmcs_het.json").read_text())
    sums = MomentSums("heterodyne")
    sums.add(data["alice_snu"], data["bob_raw"])
    found = sums.result()
    snu = expected["snu"]
    assert sum(found.sent_squares[:2]) == pytest.approx(expected["Sxx"], rel=1e-6)
    assert sum(found.products[:2]) / np.sqrt(snu) == pytest.approx(expected["Sxy"], rel=1e-4)
    assert sum(found.measured_squares[:2]) / snu == pytest.approx(expected["Syy"], rel=1e-4)
    estimate = estimate_channel(data["alice_snu"], data["bob_raw"])
    assert estimate.signal_to_noise == pytest.approx(expected["t_hat"] ** 2 * 4.0 / expected["sigma2_hat"], rel=2e-3)
    whitened = whiten(data["bob_raw"], estimate.whitening).astype(np.float64)
    assert np.cov(whitened.T) == pytest.approx(np.eye(2), abs=1e-3)


@pytest.mark.parametrize("both", [True, False])
def test_outcomes_alone_add_up_as_beside_symbols_of_zero(both: bool) -> None:
    rng = np.random.default_rng(12)
    outcomes = rng.normal(size=(1001, 2) if both else 1001).astype(np.float32)
    quadratures = None if both else Bits.from_array(rng.integers(0, 2, 1001))
    alone, beside = (MomentSums("heterodyne" if both else "homodyne") for _ in range(2))
    alone.add_outcomes(outcomes, quadratures)
    beside.add(np.zeros_like(outcomes), outcomes, quadratures)
    assert alone.result() == beside.result()
