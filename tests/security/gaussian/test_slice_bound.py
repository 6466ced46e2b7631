"""The length of blocks whose outcomes were sliced."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.gaussian.holevo import holevo_information, mutual_information
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.slices.bound import SlicedTally, apply_bound
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening
from qkdpost.statistics.gaussian.wrapped import cell_entropy

Detection = Literal["heterodyne", "homodyne"]

BUDGET = Epsilon(secrecy=3e-10, correctness=1e-10, authentication=1e-10)
VARIANCE, EFFICIENCY, ELECTRONIC, EXCESS = 5.0, 0.6, 0.1, 0.01
TAGS = 4000


def _calibration(variance: float, count: int) -> CalibrationMoments:
    return CalibrationMoments(
        counts=(count, count),
        measured=(0.0, 0.0),
        measured_squares=(variance * count, variance * count, 0.0),
        lagged=(0.0,) * 4,
    )


def _tally(
    reals: int, transmittance: float, *, excess: float = EXCESS, detection: Detection = "heterodyne", scale: float = 1.0
) -> SlicedTally:
    """Sums that are exactly what is expected; `scale` moves whitened units, and their cells, by a factor."""
    arms = 2.0 if detection == "heterodyne" else 1.0
    gain = math.sqrt(EFFICIENCY * transmittance / arms)
    noise = 1.0 + ELECTRONIC + EFFICIENCY * transmittance * excess / arms
    outcome = gain * gain * VARIANCE + noise
    white = scale / math.sqrt(outcome)
    count = reals // 2
    moments = QuadratureMoments(
        counts=(count, count),
        sent=(0.0, 0.0),
        measured=(0.0, 0.0),
        sent_squares=(VARIANCE * count, VARIANCE * count, 0.0),
        measured_squares=(scale**2 * count, scale**2 * count, 0.0),
        products=(white * gain * VARIANCE * count, white * gain * VARIANCE * count, 0.0, 0.0),
        fourth_powers=(3.0 * count, 3.0 * count),
        lagged=(0.0,) * 8,
    )
    plan = plan_slices(outcome_variance=scale**2, noise_variance=scale**2 * noise / outcome)
    sums = GaussianTally(
        detection=detection,
        moments=moments,
        whitening=Whitening(centre=(0.0, 0.0), matrix=(white, 0.0, 0.0, white)),
        shot_electronic=_calibration(1.0 + ELECTRONIC, 10**10),
        electronic=_calibration(ELECTRONIC, 10**10),
        key_reals=reals,
        dimension=2 if detection == "heterodyne" else 1,
    )
    return SlicedTally(sums=sums, width=plan.width, levels=plan.levels)


def _settings(detection: Detection = "heterodyne", **changes: Any) -> GaussianBoundSettings:
    return GaussianBoundSettings(
        modulation_variance=VARIANCE, efficiency=EFFICIENCY, detection=detection, receiver="trusted", **changes
    )


def _disclosed(tally: SlicedTally, bits_per_real: float = 0.6434) -> Disclosed:
    return Disclosed(
        leakage_bits=math.ceil(tally.sums.key_reals * bits_per_real) + TAGS, verification_bits=TAGS, two_way=False
    )


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
@pytest.mark.parametrize("transmittance", [0.8, 0.95])
def test_long_blocks_tend_to_what_is_left_of_the_mutual_information(detection: Detection, transmittance: float) -> None:
    reals = 2 * 10**10
    tally = _tally(reals, transmittance, detection=detection)
    length = apply_bound(tally, _disclosed(tally), BUDGET, _settings(detection))
    arguments: dict[str, Any] = {
        "efficiency": EFFICIENCY,
        "electronic_noise": ELECTRONIC,
        "detection": detection,
    }
    chi = holevo_information(VARIANCE, transmittance, EXCESS, receiver="trusted", **arguments)
    information = mutual_information(VARIANCE, transmittance, EXCESS, **arguments)
    symbols = reals / tally.sums.outcomes_per_symbol
    efficiency = dict(length.evidence)["reconciliation_efficiency"]
    assert 0.89 < efficiency < 0.97
    assert length.reason == ""
    expected = symbols * (efficiency * information - chi)
    assert 0.95 * expected < length.bits < expected
    assert length.asymptotic_bits == pytest.approx(expected, rel=1e-3)
    assert length.rigorous
    assert length.attacks.startswith("Gaussian")


def test_the_terms_are_those_of_the_formula() -> None:
    tally = _tally(2 * 10**8, 0.9)
    length = apply_bound(tally, _disclosed(tally), BUDGET, _settings())
    terms = {term.name: term.bits for term in length.terms}
    evidence = dict(length.evidence)
    symbols = 10**8
    each = [cell_entropy(evidence[f"variance_low_{j}"], tally.width, 8) for j in (0, 1)]
    by_hand = symbols * (sum(each) + 0.5 * math.log2(1 - evidence["correlation_high"] ** 2))
    assert terms["entropy of labels"] == pytest.approx(by_hand, rel=1e-8)
    assert terms["entropy of labels"] < by_hand
    assert terms["Holevo information"] == -symbols * evidence["holevo_information"]
    amplification = (BUDGET.secrecy - BUDGET.correctness) / 2
    bits = -math.log2(amplification)
    assert terms["finite size"] == pytest.approx(-2 * math.log2(1 + 2**7) * math.sqrt(symbols * bits))
    assert terms["amplification"] == pytest.approx(2 - bits)
    assert length.bits == math.floor(math.fsum(terms.values()))
    assert length.epsilon.secrecy <= BUDGET.secrecy


def test_units_of_the_outcomes_do_not_matter() -> None:
    lengths = []
    for scale in (1.0, 0.25, 7.0):
        tally = _tally(2 * 10**8, 0.9, scale=scale)
        lengths.append(apply_bound(tally, _disclosed(tally), BUDGET, _settings()).bits)
    assert max(lengths) - min(lengths) < 100


def test_noise_leakage_and_shorter_blocks_never_give_more() -> None:
    def bits(reals: int = 2 * 10**8, excess: float = EXCESS, leak: float = 0.6434) -> int:
        tally = _tally(reals, 0.9, excess=excess)
        return apply_bound(tally, _disclosed(tally, leak), BUDGET, _settings()).bits

    usual = bits()
    assert usual > 0
    assert bits(leak=0.65) < usual
    assert bits(leak=3.0) == 0
    assert bits(reals=10**8) < usual
    # Of the same cells; more noise is more spread, and told by the eavesdropper's part of it.
    noisy = replace(_tally(2 * 10**8, 0.9, excess=0.05), width=_tally(2 * 10**8, 0.9).width)
    assert apply_bound(noisy, _disclosed(noisy), BUDGET, _settings()).bits < usual


@pytest.mark.parametrize("reals", [0, 2, 100, 10_000, 10**6])
def test_blocks_that_are_too_short_have_no_key_and_say_why(reals: int) -> None:
    tally = _tally(reals, 0.9)
    length = apply_bound(
        tally, Disclosed(leakage_bits=TAGS, verification_bits=TAGS, two_way=False), BUDGET, _settings()
    )
    assert length.bits == 0 or reals == 10**6
    assert length.reason or length.bits


def test_data_that_contradict_the_calibration_have_no_key() -> None:
    tally = _tally(2 * 10**8, 0.9)
    louder = replace(tally, sums=replace(tally.sums, shot_electronic=_calibration(1.3, 10**10)))
    assert apply_bound(louder, _disclosed(tally), BUDGET, _settings()).bits == 0


def test_what_the_settings_do_not_allow_is_refused() -> None:
    tally = _tally(2 * 10**7, 0.9)
    disclosed = _disclosed(tally)
    with pytest.raises(ConfigurationError, match="heterodyne"):
        apply_bound(tally, disclosed, BUDGET, _settings("homodyne"))
    with pytest.raises(ConfigurationError, match="one-way"):
        apply_bound(tally, replace(disclosed, two_way=True), BUDGET, _settings())
    with pytest.raises(InputError):
        apply_bound(tally.sums, disclosed, BUDGET, _settings())  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"width": 0.0}, {"width": np.nan}, {"levels": 0}, {"levels": 3.0}, {"sums": None}])
def test_tallies_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replace(_tally(2000, 0.9), **change)
