"""Calibration records of several records in a block."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost.dialogue.program import AbortBlock
from qkdpost.records import QuadratureOutcomes
from qkdpost.stages.continuous.disclosure import calibration_of


def records(*variances: float, means: tuple[float, ...] = (0.0,) * 9, count: int = 200_000) -> list[QuadratureOutcomes]:
    rng = np.random.default_rng(3)
    made = []
    for variance, mean in zip(variances, means, strict=False):
        shot = rng.normal(mean, variance**0.5, (count, 2)).astype(np.float32)
        made.append(QuadratureOutcomes(values=2 * shot[:1000], electronic_shot=shot, efficiency=0.6))
    return made


def test_a_mean_that_moves_between_records_is_no_shot_noise() -> None:
    shot, electronic = calibration_of(records(1.0, 1.0, 1.0, means=(-1.0, 0.0, 1.0)))
    assert electronic is None
    assert shot.counts == (600_000 - 2,) * 2
    # Six standard errors: 2e-9.
    assert np.array(shot.measured_squares[:2]) / 600_000 == pytest.approx(1.0, abs=6 * (2 / 600_000) ** 0.5)


def test_a_slow_drift_over_many_records_is_seen() -> None:
    """Between neighbours it is less than what is tolerated."""
    with pytest.raises(AbortBlock, match="drift"):
        calibration_of(records(*(1.008**step for step in range(9))))
