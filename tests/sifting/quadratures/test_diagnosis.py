"""Each test sees what it is for, and honest outcomes raise no more alarms than it says."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.sifting.quadratures import (
    Correlation,
    CorrelationSums,
    MomentSums,
    calibration_moments,
    calibration_parts,
    diagnose_drift,
    diagnose_outcomes,
    diagnose_parts,
)
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments

Array = np.ndarray[Any, Any]
COUNT = 40_000
GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(0.0, 2.0, (COUNT, 2))
Y = 0.3 * X + GENERATOR.normal(0.0, 1.0, (COUNT, 2))


def moments(y: Array, x: Array | None = None) -> QuadratureMoments:
    sums = MomentSums("heterodyne")
    sums.add(np.zeros_like(y) if x is None else x, y)
    return sums.result()


def found(y: Array) -> dict[str, str]:
    return {one.name: one.severity for one in diagnose_outcomes(moments(y))}


def spilled(y: Array, share: float) -> Array:
    return np.asarray(y + share * np.roll(y, 1, axis=0))


def turned(y: Array, share: float) -> Array:
    """As a frequency that is off does: x of a symbol goes with p of the next."""
    later = np.roll(y, 1, axis=0)
    return np.asarray(y + share * np.column_stack((later[:, 1], -later[:, 0])))


def test_honest_outcomes_are_in_order() -> None:
    assert found(Y) == {}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (Y * (1.0, 1.05), {"anisotropy": "warning"}),
        (Y * (1.0, 1.4), {"anisotropy": "refusal"}),
        (Y + 0.04 * Y[:, ::-1], {"anisotropy": "warning"}),
        (Y + 0.4 * Y[:, ::-1], {"anisotropy": "refusal"}),
        (Y + np.array([0.04, 0.0]), {"offset": "warning"}),
        (Y + np.array([0.0, -0.3]), {"offset": "refusal"}),
        (spilled(Y, 0.04), {"autocorrelation": "warning"}),
        (spilled(Y, 0.15), {"autocorrelation": "refusal"}),
        (turned(Y, 0.04), {"autocorrelation": "warning"}),
        (turned(Y, 0.15), {"autocorrelation": "refusal"}),
        (np.clip(Y, -3.0, 3.0), {"kurtosis": "warning"}),
        (np.clip(Y, -1.5, 1.5), {"kurtosis": "refusal"}),
        (Y * np.where(GENERATOR.random((COUNT, 1)) < 0.02, 3.0, 1.0), {"kurtosis": "refusal"}),
    ],
)
def test_what_is_wrong_is_named(outcomes: Array, expected: dict[str, str]) -> None:
    assert found(outcomes) == expected


def test_words_show_no_outcome() -> None:
    (one,) = diagnose_outcomes(moments(Y * (1.0, 1.4)))
    assert str(one).startswith("anisotropy of the outcomes is 0.3")
    assert "false alarms of 2^-40" in str(one)
    assert one.false_alarm == 2.0**-40


def test_one_quadrature_each() -> None:
    choices = Bits.from_array(GENERATOR.integers(0, 2, COUNT))
    for series, expected in (
        (Y[:, 0], {}),
        (Y[:, 0] + 0.15 * np.roll(Y[:, 0], 1), {"autocorrelation": "refusal"}),
        (np.where(np.asarray(choices) == 1, 1.4, 1.0) * Y[:, 0], {"anisotropy": "refusal"}),
    ):
        sums = MomentSums("homodyne")
        sums.add(np.zeros(COUNT), series, choices)
        named = {one.name: one.severity for one in diagnose_outcomes(sums.result())}
        named.pop("kurtosis", None)  # a mixture of two variances has some
        assert named == expected


def far(y: Array, choices: Bits | None = None) -> tuple[Correlation, ...]:
    sums = CorrelationSums("heterodyne" if choices is None else "homodyne")
    for piece in np.array_split(y, 10):
        sums.add(piece.astype(np.float32))
    return sums.result()


@pytest.mark.parametrize("distance", [3, 8, 64, 2048])
@pytest.mark.parametrize(("share", "severities"), [(0.0, []), (0.031, ["warning"]), (0.15, ["refusal"])])
def test_correlations_far_apart(distance: int, share: float, severities: list[str]) -> None:
    y = Y[:, ::-1] + share * np.roll(Y, distance, axis=0)
    found_of = diagnose_outcomes(moments(y), apart=far(y))
    assert [(one.name, one.severity, one.distance) for one in found_of] == [
        ("autocorrelation", severity, distance) for severity in severities
    ]
    if severities:
        assert str(found_of[0]).startswith(f"autocorrelation of the outcomes {distance} apart is 0.")
    assert diagnose_outcomes(moments(y)) == ()
    choices = Bits.from_array(GENERATOR.integers(0, 2, COUNT))
    series = Y[:, 0] + 2**0.5 * share * np.roll(Y[:, 0], distance)
    sums = MomentSums("homodyne")
    sums.add(np.zeros(COUNT), series, choices)
    named = [one.severity for one in diagnose_outcomes(sums.result(), apart=far(series, choices))]
    assert named == severities


def test_more_is_tolerated_of_what_is_charged() -> None:
    """Neighbours whose correlation is 0.04 are charged, symbols that lie apart are not; of very many outcomes."""
    n = 2**30
    many = QuadratureMoments(
        counts=(n, n),
        sent=(0.0, 0.0),
        measured=(0.0, 0.0),
        sent_squares=(n, n, 0.0),
        measured_squares=(n, n, 0.0),
        products=(0.0,) * 4,
        fourth_powers=(3.0 * n, 3.0 * n),
        lagged=(0.0,) * 8,
    )
    assert diagnose_outcomes(many) == ()
    seen = replace(many, lagged=(0.04 * n, *many.lagged[1:]))
    (near,) = diagnose_outcomes(seen)
    (apart,) = diagnose_outcomes(many, apart=[Correlation(distance=3, pairs=2**30, values=(0.04, 0.0, 0.0, 0.0))])
    assert (near.severity, near.tolerated) == ("warning", 0.05)
    assert (apart.severity, apart.tolerated) == ("refusal", 0.01)


def test_few_outcomes_are_not_judged() -> None:
    assert found(3.0 + np.abs(Y[:900])) == {}
    assert diagnose_outcomes(moments(np.ones((5000, 2)))) == ()
    for wrong in (None, 3, moments):
        with pytest.raises(InputError, match="QuadratureMoments"):
            diagnose_outcomes(wrong)  # type: ignore[arg-type]


def calibrated(scale: float, seed: int, count: int = 200_000) -> CalibrationMoments:
    return calibration_moments(np.random.default_rng(seed).normal(3.0, scale, (count, 2)), None)


@pytest.mark.parametrize(("scale", "severities"), [(20.0, []), (20.2, ["warning"]), (20.7, ["refusal"])])
def test_drift_between_calibrations(scale: float, severities: list[str]) -> None:
    drift = diagnose_drift(calibrated(20.0, 1), calibrated(scale, 2))
    assert [one.severity for one in drift] == severities
    assert all(one.value == pytest.approx(math.sqrt(8.0) * math.log(scale / 20.0), abs=0.02) for one in drift)


def test_drift_among_parts_is_told_once() -> None:
    parts = [calibrated(scale, seed) for seed, scale in enumerate([20.0] * 6 + [20.2, 20.7])]
    whole = functools.reduce(operator.add, parts)
    for records in ([parts], [parts[:3], parts[3:]], [[part] for part in parts]):
        (worst,) = diagnose_parts(records, whole)
        assert (worst.name, worst.severity) == ("drift", "refusal")
    assert diagnose_parts([parts[:6]], functools.reduce(operator.add, parts[:6])) == ()
    with pytest.raises(InputError, match=r"parts\[0\]"):
        diagnose_parts([[None]], whole)  # type: ignore[list-item]


def test_drift_that_no_part_shows_is_seen_in_longer_stretches() -> None:
    parts = [calibrated(20.0 + 0.5 * (number > 7), number, 10_000) for number in range(16)]
    whole = functools.reduce(operator.add, parts)
    assert diagnose_parts([[part] for part in parts], whole) == ()
    assert [one.severity for one in diagnose_parts([parts], whole)] == ["warning"]


@pytest.mark.slow
def test_false_alarms_of_all_parts_together_are_rare() -> None:
    """Of 1000 calibrations in 16 parts one alarms: more than 15 have probability 2e-14 (Poisson of 1)."""
    generator = np.random.default_rng(13)
    alarms = 0
    for _ in range(1000):
        parts = calibration_parts(generator.normal(size=(2**17 - 1, 2)).astype(np.float32), None)
        alarms += len(diagnose_parts([parts], functools.reduce(operator.add, parts)))
    assert alarms <= 15


def test_recorded_symbols(data_directory: Path) -> None:
    """In the second file each quadrature goes with the other one of the next symbol; the first is in order."""
    named = {}
    for name in ("after_dsp", "result_basic"):
        symbols = np.load(data_directory / "qosst_symbols" / f"qosst_bob_{name}.npz")["result"]
        named[name] = found(np.column_stack((symbols.real, symbols.imag)))
    assert named == {"after_dsp": {}, "result_basic": {"autocorrelation": "warning"}}


def test_a_negative_excess_noise_is_no_finding(data_directory: Path) -> None:
    data = np.load(data_directory / "cv_synthetic" / "synthetic_gmcs_het.npz")
    white = data["bob_raw"] / data["bob_raw"].std()
    assert diagnose_outcomes(moments(white, data["alice_snu"])) == ()


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_they_say() -> None:
    """Four tests of 1000 records, each wrong with 0.001: more than 26 alarms have probability 1e-12 (Poisson of 4)."""
    generator = np.random.default_rng(12)
    blocks = (generator.normal(size=(10_000, 2)) for _ in range(1000))
    alarms = [one for y in blocks for one in diagnose_outcomes(moments(y), apart=far(y))]
    assert len(alarms) <= 26
    assert all(one.severity == "warning" for one in alarms)
