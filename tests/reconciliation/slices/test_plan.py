"""Plans of slices, and the codes that they use."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.ldpc_design.build import base_rank
from qkdpost.reconciliation.ldpc_design.lifting import count_short_cycles, lift
from qkdpost.reconciliation.slices import codes
from qkdpost.reconciliation.slices.codes import frame_lengths, level_codes
from qkdpost.reconciliation.slices.plan import LENGTH_UNITS, SlicePlan, plan_slices

PLAN = plan_slices(outcome_variance=1.0, noise_variance=0.25, frame_reals=1 << 14)


@pytest.mark.parametrize("length", frame_lengths())
def test_codes_have_the_length_and_independent_checks(length: int) -> None:
    found = level_codes(length)
    assert [code.frame_bits for code in found.codes] == [length] * 3
    assert [base_rank(code) for code in found.codes] == [code.rows for code in found.codes]
    assert count_short_cycles(found.codes[1]) == 0 or length < 1 << 18


def test_there_are_no_codes_of_other_lengths() -> None:
    with pytest.raises(InputError, match="frame_reals must be one of"):
        level_codes(1 << 15)


@pytest.mark.slow
def test_the_own_table_comes_out_again() -> None:
    made = lift(17, {2: 8, 3: 404, 7: 100}, 512, seed=1)
    assert made.digest() == level_codes(1 << 18).codes[1].digest()


def test_a_damaged_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "_OWN_DIGEST", "0" * 64)
    codes._own_code.cache_clear()
    with pytest.raises(ConfigurationError, match="does not match its hash"):
        codes._own_code()
    codes._own_code.cache_clear()


@pytest.mark.parametrize(("snr", "levels"), [(0.5, 3), (1.0, 3), (3.0, 3), (5.0, 3), (10.0, 4), (60.0, 5)])
def test_a_plan_goes_over_the_wire(snr: float, levels: int) -> None:
    plan = plan_slices(outcome_variance=1.0, noise_variance=1 / (1 + snr))
    assert plan.levels == levels
    assert 2 ** (levels - 1) * plan.width >= 4.0
    assert SlicePlan.from_bytes(plan.to_bytes()) == plan


def test_lengths_are_those_of_a_code_and_near_the_entropy() -> None:
    probabilities = 2.0 ** (-np.array(PLAN.lengths) / LENGTH_UNITS)
    assert probabilities.sum() <= 1.0
    assert probabilities.sum() > 0.98
    outcomes = np.random.default_rng(1).standard_normal(100_000)
    labels = np.floor(outcomes / PLAN.width).astype(int) % PLAN.labels
    shares = np.bincount(labels, minlength=PLAN.labels) / labels.size
    entropy = -np.sum(shares[shares > 0] * np.log2(shares[shares > 0]))
    assert np.mean(np.array(PLAN.lengths)[labels]) / LENGTH_UNITS == pytest.approx(entropy, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame_reals": 1000}, "frame_reals must be one of"),
        ({"levels": 2}, "levels must be"),
        ({"width": 0.1}, "multiple of 2"),
        ({"width": math.nan}, "width must be"),
        ({"width": 16.0}, "width must be 1 to 16 times"),
        ({"deviation": -0.5}, "deviation must be"),
        ({"lengths": (1,) * 8}, "Kraft"),
        ({"lengths": (2**16,) * 8}, "below 2"),
        ({"lengths": (800,) * 7}, "one integer for each label"),
        ({"lengths": (800.5,) * 8}, "must be an integer"),
    ],
)
def test_plans_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(PLAN, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", PLAN.to_bytes()[:-1], PLAN.to_bytes() + b"\0", b"\xff" * 37])
def test_bytes_that_are_no_plan_are_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        SlicePlan.from_bytes(data)


@pytest.mark.parametrize(
    "numbers",
    [
        {"outcome_variance": 0.0, "noise_variance": 0.1},
        {"outcome_variance": 1.0, "noise_variance": 1.1},
        {"outcome_variance": math.inf, "noise_variance": 0.1},
        {"outcome_variance": 1.0, "noise_variance": 1e-4},
    ],
)
def test_variances_that_cannot_be_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(InputError):
        plan_slices(**numbers)
