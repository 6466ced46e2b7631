"""Calibration records of several records in a block."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from qkdpost.dialogue.program import AbortBlock
from qkdpost.records import QuadratureOutcomes
from qkdpost.sifting.quadratures import CalibrationSums
from qkdpost.stages.continuous.disclosure import calibration_of


def records(*variances: float, means: tuple[float, ...] = (0.0,) * 9, count: int = 200_000) -> list[QuadratureOutcomes]:
    rng = np.random.default_rng(3)
    made = []
    for variance, mean in zip(variances, means, strict=False):
        shot = rng.normal(mean, variance**0.5, (count, 2)).astype(np.float32)
        made.append(QuadratureOutcomes(values=2 * shot[:1000], electronic_shot=shot, efficiency=0.6))
    return made


def test_a_mean_that_moves_between_records_is_no_shot_noise() -> None:
    shot, electronic, _ = calibration_of(records(1.0, 1.0, 1.0, means=(-1.0, 0.0, 1.0)))
    assert electronic is None
    assert shot.counts == (600_000 - 2,) * 2
    # Six standard errors: 2e-9.
    assert np.array(shot.measured_squares[:2]) / 600_000 == pytest.approx(1.0, abs=6 * (2 / 600_000) ** 0.5)


def test_a_slow_drift_over_many_records_is_seen() -> None:
    """Between neighbours it is less than what is tolerated."""
    with pytest.raises(AbortBlock, match="drift"):
        calibration_of(records(*(1.008**step for step in range(9))))


def test_a_drift_within_what_is_tolerated_is_told() -> None:
    _, _, notices = calibration_of(records(1.0, 1.02, count=1_000_000))
    (notice,) = notices
    assert notice.startswith("drift of the outcomes is 0.01")
    assert "a warning with false alarms of 0.001" in notice
    assert calibration_of(records(1.0, 1.0, count=1_000_000))[2] == ()


def test_a_drift_within_one_record_is_seen() -> None:
    generator = np.random.default_rng(4)
    shot = generator.normal(0.0, np.linspace(1.0, 1.05, 2**20)[:, None], (2**20, 2)).astype(np.float32)
    with pytest.raises(AbortBlock, match="drift"):
        calibration_of([QuadratureOutcomes(values=2 * shot, electronic_shot=shot, efficiency=0.6)])


def test_sums_in_the_place_of_records() -> None:
    """The same moments, and the same judgement, whether outcomes are held or were summed up before."""
    held = records(1.0, 1.006, count=300_000)
    summed = []
    for record in held:
        sums = CalibrationSums("heterodyne")
        for piece in np.array_split(np.asarray(record.electronic_shot), 7):
            sums.add(piece)
        summed.append(QuadratureOutcomes(values=record.values, electronic_shot=sums.result(), efficiency=0.6))
    (shot, _, notices), (other, _, others) = calibration_of(held), calibration_of(summed)
    assert notices == others
    for item in fields(shot):
        assert getattr(other, item.name) == pytest.approx(getattr(shot, item.name), rel=1e-9, abs=1e-6), item.name
