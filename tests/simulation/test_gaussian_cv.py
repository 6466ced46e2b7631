"""Moments of simulated coherent states against the model; a false alarm has probability 1e-9 in each comparison."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from qkdpost import simulation
from qkdpost.errors import InputError
from qkdpost.records import CalibrationSummary, CoherentStates, QuadratureOutcomes
from qkdpost.sifting.quadratures import calibration_moments
from qkdpost.simulation import CoherentImperfections

DEVIATIONS = float(norm.isf(0.5e-9))
SYMBOLS = 400_000


def columns(alice: CoherentStates, bob: QuadratureOutcomes) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """What was sent and what was measured, of x and of p, in counts."""
    sent, measured = alice.symbols.astype(np.float64), bob.values.astype(np.float64)
    if bob.quadratures is None:
        return [(sent[:, q], measured[:, q]) for q in range(2)]
    chosen = np.asarray(bob.quadratures)
    return [(sent[chosen == q, q], measured[chosen == q]) for q in range(2)]


def fitted(sent: NDArray[np.float64], measured: NDArray[np.float64]) -> tuple[float, float]:
    """Return t and the variance of the noise."""
    gain = float(sent @ measured / (sent @ sent))
    return gain, float(np.mean((measured - gain * sent) ** 2))


def assert_gain(found: float, expected: float, noise: float, variance: float, count: int) -> None:
    assert abs(found - expected) <= DEVIATIONS * math.sqrt(noise / (variance * count))


def assert_variance(found: float, expected: float, count: int) -> None:
    assert abs(found / expected - 1.0) <= DEVIATIONS * math.sqrt(2.0 / count) * 1.01


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize("excess_noise", [0.02, (0.5, 0.0), (-0.2, 1.0)])
def test_outcomes_are_those_of_the_model(detection: str, excess_noise: float | tuple[float, float]) -> None:
    alice, bob = simulation.gaussian_cv(
        symbols=SYMBOLS,
        rng=1,
        modulation_variance=3.0,
        transmittance=0.4,
        excess_noise=excess_noise,
        efficiency=0.7,
        electronic_noise=0.08,
        detection=detection,  # type: ignore[arg-type]
        counts_per_shot_noise=50.0,
        calibration_symbols=200_000,
    )
    share = 0.7 * 0.4 / (2.0 if detection == "heterodyne" else 1.0)
    noises = excess_noise if isinstance(excess_noise, tuple) else (excess_noise, excess_noise)
    for (sent, measured), noise in zip(columns(alice, bob), noises, strict=True):
        expected = 2500.0 * (1.08 + share * noise)
        gain, variance = fitted(sent, measured)
        assert_gain(gain, 50.0 * math.sqrt(share), expected, 3.0, sent.size)
        assert_variance(variance, expected, sent.size)
    assert_variance(float(np.var(alice.symbols, dtype=np.float64)), 3.0, 2 * SYMBOLS)
    assert bob.electronic is not None
    for record, expected in ((bob.electronic_shot, 1.08), (bob.electronic, 0.08)):
        assert len(record) == 200_000
        assert_variance(float(np.var(record.astype(np.float64))), 2500.0 * expected, record.size)
    assert bob.detection == detection
    assert (alice.modulation_variance, bob.efficiency, bob.adc_step) == (3.0, 0.7, None)


def test_loss_is_that_of_a_fibre() -> None:
    first = simulation.gaussian_cv(symbols=1000, rng=1, fibre_km=50.0)
    assert first == simulation.gaussian_cv(symbols=1000, rng=np.random.default_rng(1), transmittance=0.1)


def test_white_phase_noise_takes_transmittance_and_adds_noise() -> None:
    """For a phase of variance V: T exp(-V) is seen, and exp(V) xi + V_A (exp(V) - 1) of excess noise."""
    for correlation in (0.0, 0.9):
        alice, bob = simulation.gaussian_cv(
            symbols=1_000_000,
            rng=2,
            modulation_variance=5.0,
            excess_noise=0.0,
            efficiency=1.0,
            electronic_noise=0.0,
            phase_variance=0.05,
            counts_per_shot_noise=1.0,
            calibration_symbols=100,
            imperfections=CoherentImperfections(phase_correlation=correlation),
        )
        seen = 0.5 * math.exp(-0.05)
        noise = 1.0 + seen * 5.0 * math.expm1(0.05)
        for sent, measured in columns(alice, bob):
            gain, variance = fitted(sent, measured)
            # Angles of correlation 0.9 count as those of one symbol in twenty, and noise that they make has tails.
            assert abs(gain - math.sqrt(seen)) < DEVIATIONS * math.sqrt(noise / 5e6) * (2.0 if correlation else 1.0)
            assert abs(variance / noise - 1.0) < DEVIATIONS * math.sqrt(2.0 / 1e6) * (4.0 if correlation else 2.0)


def test_a_receiver_with_flaws() -> None:
    flaws = CoherentImperfections(
        rotation_rad=0.1, imbalance=0.2, offset=(0.3, -0.5), intersymbol=0.1, transmittance_drift=0.4
    )
    alice, bob = simulation.gaussian_cv(
        symbols=SYMBOLS,
        rng=3,
        modulation_variance=4.0,
        transmittance=0.5,
        excess_noise=0.0,
        efficiency=0.8,
        electronic_noise=0.1,
        counts_per_shot_noise=10.0,
        imperfections=flaws,
    )
    noise = bob.electronic_shot.astype(np.float64)
    for q, (gain, offset) in enumerate(((1.2, 3.0), (0.8, -5.0))):
        expected = 100.0 * 1.1 * gain * 1.01
        assert abs(noise[:, q].mean() - offset) < DEVIATIONS * math.sqrt(expected * 1.21 / SYMBOLS)
        assert_variance(float(noise[:, q].var()), expected, int(SYMBOLS / 1.05))
        centred = noise[:, q] - noise[:, q].mean()
        lag = float(centred[1:] @ centred[:-1] / (centred @ centred))
        assert abs(lag - 0.1 / 1.01) < DEVIATIONS / math.sqrt(SYMBOLS)
    x, p = columns(alice, bob)
    crossed = float(x[0] @ p[1] / (x[0] @ x[0])) / (10.0 * math.sqrt(0.2 * 0.8))
    assert abs(crossed - math.sin(0.1)) < 0.02
    gains = [fitted(x[0][part], x[1][part])[0] for part in np.split(np.arange(SYMBOLS), 4)]
    assert all(first < second for first, second in pairwise(gains))
    assert gains[3] ** 2 / gains[0] ** 2 == pytest.approx((1 + 0.4 * 0.375) / (1 - 0.4 * 0.375), rel=0.05)


def test_a_converter_rounds_and_clips() -> None:
    flaws = CoherentImperfections(adc_bits=6)
    settings = {"symbols": 50_000, "transmittance": 1.0, "counts_per_shot_noise": 8.0, "calibration_symbols": 20_000}
    _, bob = simulation.gaussian_cv(rng=4, imperfections=flaws, **settings)  # type: ignore[arg-type]
    assert bob.values.dtype == bob.electronic_shot.dtype == np.int16
    assert (int(bob.values.min()), int(bob.values.max())) == (-32, 31)
    assert bob.adc_step == 1.0
    _, floats = simulation.gaussian_cv(
        rng=4,
        imperfections=CoherentImperfections(adc_bits=6, integers=False),
        **settings,  # type: ignore[arg-type]
    )
    assert floats.values.dtype == np.float32
    assert np.array_equal(floats.values, bob.values)
    _, plain = simulation.gaussian_cv(rng=4, **settings)  # type: ignore[arg-type]
    assert np.array_equal(np.clip(np.rint(plain.values), -32, 31), bob.values)


def test_a_falsified_calibration_is_only_that() -> None:
    settings = {"symbols": 1000, "fibre_km": 10.0, "rng": 5}
    alice, bob = simulation.gaussian_cv(**settings)  # type: ignore[arg-type]
    flaws = CoherentImperfections(calibration_gain=1.05)
    same, wrong = simulation.gaussian_cv(imperfections=flaws, **settings)  # type: ignore[arg-type]
    assert same == alice
    assert np.array_equal(wrong.values, bob.values)
    assert np.allclose(wrong.electronic_shot, 1.05 * bob.electronic_shot, rtol=1e-5)


def test_records_of_a_run_go_on() -> None:
    flaws = CoherentImperfections(transmittance_drift=0.5, intersymbol=0.2, phase_correlation=0.99)
    run = list(
        simulation.gaussian_cv_records(
            3, symbols=100_000, rng=6, fibre_km=10.0, phase_variance=0.01, calibration_symbols=200, imperfections=flaws
        )
    )
    assert [alice.events for alice, _ in run] == [100_000] * 3
    gains = [fitted(*columns(alice, bob)[0])[0] for alice, bob in run]
    assert gains[0] < gains[1] < gains[2]
    assert run[0][0] != run[1][0]
    assert not list(simulation.gaussian_cv_records(0, symbols=10, rng=1))


def test_pieces_join() -> None:
    """More symbols than are drawn at once have no seam: neighbours across it are correlated as all others are."""
    _, bob = simulation.gaussian_cv(
        symbols=2**19 + 3,
        rng=7,
        transmittance=0.0,
        calibration_symbols=100,
        imperfections=CoherentImperfections(intersymbol=0.9),
    )
    _, plain = simulation.gaussian_cv(symbols=2**19 + 3, rng=7, transmittance=0.0, calibration_symbols=100)
    filtered = plain.values[1:] + np.float32(0.9) * plain.values[:-1]
    assert np.allclose(bob.values[1:], filtered, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    "change",
    [
        {"symbols": -1},
        {"symbols": 1e3 + 0.5},
        {"transmittance": 1.1},
        {"transmittance": math.nan},
        {"fibre_km": -1.0},
        {"efficiency": 0.0},
        {"electronic_noise": -0.1},
        {"modulation_variance": 0.0},
        {"detection": "both"},
        {"phase_variance": -1.0},
        {"counts_per_shot_noise": 0.0},
        {"calibration_symbols": -5},
        {"excess_noise": "much"},
        {"excess_noise": (0.1, 0.1, 0.1)},
        {"excess_noise": -0.01},
        {"excess_noise": (-0.2, 0.2)},
        {"excess_noise": (-0.01, 5.0), "transmittance": 1.0},
        {"imperfections": None},
        {"imperfections": CoherentImperfections(transmittance_drift=0.5), "transmittance": 0.9},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    good: dict[str, object] = {"symbols": 1000, "transmittance": 0.5, "rng": 1}
    with pytest.raises(InputError):
        simulation.gaussian_cv(**(good | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"imbalance": 1.0},
        {"intersymbol": -1.0},
        {"adc_bits": 1},
        {"adc_bits": 17},
        {"phase_correlation": 1.0},
        {"offset": (0.0,)},
        {"calibration_gain": 0.0},
        {"transmittance_drift": 2.0},
        {"rotation_rad": 4.0},
        {"integers": 1},
    ],
)
def test_imperfections_have_limits(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        CoherentImperfections(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize("adc_bits", [None, 10])
def test_sums_in_the_place_of_calibration_records(detection: Any, adc_bits: int | None) -> None:
    """Without a converter they are sums over the same outcomes; with one there is dither, drawn of the same source."""
    options: dict[str, Any] = {
        "symbols": 5000,
        "calibration_symbols": 50_000,
        "detection": detection,
        "imperfections": CoherentImperfections(adc_bits=adc_bits),
    }
    _, kept = simulation.gaussian_cv(**options, rng=4)
    alice, summed = simulation.gaussian_cv(**options, rng=4, keep_calibration=False)
    assert (alice, summed) == simulation.gaussian_cv(**options, rng=4, keep_calibration=False)
    assert np.array_equal(kept.values, summed.values)
    shot = summed.electronic_shot
    assert isinstance(shot, CalibrationSummary)
    assert (shot.detection, shot.adc_step) == (detection, summed.adc_step)
    expected = calibration_moments(kept.electronic_shot, None).measured_squares[0]
    # Dither adds 1 to 11,000, and 0.9 is the standard error of the product with outcomes: 1e-3 is some ten of them.
    assert shot.whole.measured_squares[0] == pytest.approx(expected, rel=1e-3 if adc_bits else 1e-9)


def test_keep_calibration_is_a_flag() -> None:
    with pytest.raises(InputError, match="keep_calibration"):
        simulation.gaussian_cv(symbols=10, rng=1, keep_calibration=1)  # type: ignore[arg-type]
