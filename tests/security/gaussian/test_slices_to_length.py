"""A simulated short link from records to a length by slices: both sides alike, and no more than the channel leaves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.slices.batch import SliceBatch
from qkdpost.reconciliation.slices.conversation import slices_corrector, slices_reference
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.gaussian.holevo import holevo_information, mutual_information
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.slices.bound import SlicedTally, apply_bound
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.simulation.gaussian_cv import simulate_gaussian_cv
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening

TRIAL, SYMBOLS = 1 << 16, 8 << 17
CHANNEL: dict[str, Any] = {"efficiency": 0.6, "electronic_noise": 0.1, "detection": "heterodyne"}
VARIANCE, TRANSMITTANCE, EXCESS = 5.0, 0.9, 0.01
CHARGED_TAGS = 2000

Pairs = NDArray[np.float64]


def _lagged(outcomes: Pairs, across: bool) -> tuple[float, ...]:
    sums: list[float] = []
    for lag in (1, 2):
        early, late = outcomes[:-lag], outcomes[lag:]
        pairs = ((0, 0), (1, 1), (0, 1), (1, 0))[: 4 if across else 2]
        sums += [float(early[:, j] @ late[:, k]) for j, k in pairs]
    return tuple(sums)


def _calibration(record: NDArray[np.float32]) -> CalibrationMoments:
    y = record.astype(np.float64)
    return CalibrationMoments(
        counts=(len(y), len(y)),
        measured=(y[:, 0].sum(), y[:, 1].sum()),
        measured_squares=(y[:, 0] @ y[:, 0], y[:, 1] @ y[:, 1], y[:, 0] @ y[:, 1]),
        lagged=_lagged(y, across=False),
    )


def _moments(symbols: Pairs, outcomes: Pairs) -> QuadratureMoments:
    x, y = symbols, outcomes
    return QuadratureMoments(
        counts=(len(y), len(y)),
        sent=(x[:, 0].sum(), x[:, 1].sum()),
        measured=(y[:, 0].sum(), y[:, 1].sum()),
        sent_squares=(x[:, 0] @ x[:, 0], x[:, 1] @ x[:, 1], x[:, 0] @ x[:, 1]),
        measured_squares=(y[:, 0] @ y[:, 0], y[:, 1] @ y[:, 1], y[:, 0] @ y[:, 1]),
        products=(x[:, 0] @ y[:, 0], x[:, 1] @ y[:, 1], x[:, 0] @ y[:, 1], x[:, 1] @ y[:, 0]),
        fourth_powers=((y[:, 0] ** 4).sum(), (y[:, 1] ** 4).sum()),
        lagged=_lagged(y, across=True),
    )


@pytest.mark.slow
def test_a_short_link_makes_a_key() -> None:
    alice, bob = simulate_gaussian_cv(
        symbols=TRIAL + SYMBOLS,
        rng=5,
        modulation_variance=VARIANCE,
        transmittance=TRANSMITTANCE,
        excess_noise=EXCESS,
        calibration_symbols=1 << 23,
        **CHANNEL,
    )
    raw, sent = bob.values.astype(np.float64), alice.symbols.astype(np.float64)
    # From symbols that are disclosed and dropped: whitening, gain and noise, and from these the plan.
    centre = raw[:TRIAL].mean(axis=0)
    matrix = np.linalg.inv(np.linalg.cholesky(np.cov((raw[:TRIAL] - centre).T)))
    white = (raw - centre) @ matrix.T
    gain = np.linalg.lstsq(sent[:TRIAL], white[:TRIAL], rcond=None)[0]
    noise = float(np.mean((white[:TRIAL] - sent[:TRIAL] @ gain) ** 2))
    plan = plan_slices(outcome_variance=1.0, noise_variance=noise)
    outcomes = np.ascontiguousarray(white[TRIAL:], dtype=np.float32).reshape(-1)
    expected = np.ascontiguousarray(sent[TRIAL:] @ gain, dtype=np.float32).reshape(-1)
    sides: tuple[SliceBatch, SliceBatch] = drive(
        slices_reference(outcomes, plan=plan), slices_corrector(expected, plan=plan)
    )
    assert sides[0].key() == sides[1].key()
    assert not sides[0].given_up.any()
    lengths = []
    for side in sides:
        rebuilt = side.outcomes().reshape(-1, 2).astype(np.float64)
        assert bob.electronic is not None
        sums = GaussianTally(
            detection="heterodyne",
            moments=_moments(sent[TRIAL:], rebuilt),
            whitening=Whitening(centre=(centre[0], centre[1]), matrix=(matrix[0, 0], 0.0, matrix[1, 0], matrix[1, 1])),
            shot_electronic=_calibration(bob.electronic_shot),
            electronic=_calibration(bob.electronic),
            key_reals=outcomes.size,
            dimension=2,
        )
        tally = SlicedTally(sums=sums, width=plan.width, levels=plan.levels)
        leakage = sum(side.disclosed.values()) + CHARGED_TAGS
        disclosed = Disclosed(leakage_bits=leakage, verification_bits=CHARGED_TAGS, two_way=False)
        budget = Epsilon(secrecy=3e-10, correctness=1e-10, authentication=1e-10)
        settings = GaussianBoundSettings(modulation_variance=VARIANCE, efficiency=0.6, receiver="trusted")
        lengths.append(apply_bound(tally, disclosed, budget, settings))
    assert lengths[0].bits == lengths[1].bits
    information = mutual_information(VARIANCE, TRANSMITTANCE, EXCESS, **CHANNEL)
    chi = holevo_information(VARIANCE, TRANSMITTANCE, EXCESS, receiver="trusted", **CHANNEL)
    efficiency = dict(lengths[0].evidence)["reconciliation_efficiency"]
    assert 0.89 < efficiency < 0.94
    most = SYMBOLS * (efficiency * information - chi)
    assert 0.3 * most < lengths[0].bits < most
    assert math.isclose(lengths[0].asymptotic_bits, most, rel_tol=0.1)
