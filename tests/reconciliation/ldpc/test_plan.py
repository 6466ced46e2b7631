"""Plans: integers only, consistent, disclosing what they should."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.ldpc.disclosure import FAILURE_WIDTHS, PUNCTURING_LOSS_PERMILLE, disclosed_bits
from qkdpost.reconciliation.ldpc.frame_layout import puncturable_count
from qkdpost.reconciliation.ldpc.plan import LdpcPlan, plan_ldpc
from qkdpost.reconciliation.settings import FirstFailures
from qkdpost.statistics.entropy import entropy_ppm


def _entropy(error_rate: float) -> float:
    return -error_rate * math.log2(error_rate) - (1 - error_rate) * math.log2(1 - error_rate)


@given(st.integers(1, 999_999))
def test_entropy_is_that_of_floating_point_rounded_up(error_rate_ppm: int) -> None:
    exact = 1e6 * _entropy(error_rate_ppm / 1e6)
    assert exact - 1e-5 <= entropy_ppm(error_rate_ppm) <= exact + 1 + 1e-5


def test_the_link_offers_what_the_plan_knows() -> None:
    assert set(get_args(FirstFailures)) == set(FAILURE_WIDTHS)
    for permille, width in FAILURE_WIDTHS.items():
        assert width == round(1000 * norm.isf(permille / 1000))


@given(
    st.integers(1, 10**9),
    st.integers(1000, 120_000),
    st.sampled_from([1 << 14, 1 << 16]),
    st.integers(0, 4),
    st.sampled_from([1, 10, 30, 100]),
    st.integers(0, 100),
)
@settings(deadline=None, max_examples=60)
def test_plans_are_consistent(
    block_bits: int, error_rate_ppm: int, frame_bits: int, rounds: int, failures: int, uncertainty: int
) -> None:
    plan = plan_ldpc(
        block_bits,
        error_rate_ppm=error_rate_ppm,
        frame_bits=frame_bits,
        blind_rounds=rounds,
        failures_permille=failures,
        uncertainty_permille=uncertainty,
    )
    assert plan.frames * (plan.key_bits - 1) < block_bits <= plan.frames * plan.key_bits
    assert plan.punctured_bits <= puncturable_count(plan.code)
    assert plan.blind_rounds == (2 * rounds if block_bits <= 4 * plan.frame_bits else rounds)
    assert plan.key_bits + plan.punctured_bits + plan.shortened_bits == plan.frame_bits
    entropy = block_bits * entropy_ppm(error_rate_ppm) / 1e6
    assert plan.frames * plan.syndrome_bits >= 1.01 * entropy
    if not rounds:
        assert plan.first_leakage_bits >= 1.01 * entropy


@pytest.mark.parametrize("frame_bits", [1 << 14, 1 << 20])
@pytest.mark.parametrize("uncertainty", [0, 30])
def test_the_lowest_error_rates_can_be_planned(frame_bits: int, uncertainty: int) -> None:
    plans = [
        plan_ldpc(10**7, error_rate_ppm=rate, frame_bits=frame_bits, uncertainty_permille=uncertainty)
        for rate in (1, 2, 5, 20, 100)
    ]
    assert all(plan.frames * plan.syndrome_bits >= plan.block_bits * entropy_ppm(100) / 1e6 for plan in plans)
    assert all(plan.first_leakage_bits < 0.1 * plan.block_bits for plan in plans)


@pytest.mark.parametrize("error_rate_ppm", [950, 1000, 1050])
def test_frames_of_few_errors_have_enough_to_disclose_in_the_end(error_rate_ppm: int) -> None:
    """At 0.1 % frames hold 65 errors and more than 90 once in a thousand: those need more than 1.8 times the limit."""
    plan = plan_ldpc(1 << 20, error_rate_ppm=error_rate_ppm, first_failures_permille=300, uncertainty_permille=50)
    assert plan.syndrome_bits > 2 * plan.key_bits * _entropy(0.001)


def test_more_errors_mean_more_leakage_without_jumps() -> None:
    leakages = [
        plan_ldpc(10**7, error_rate_ppm=rate, blind_rounds=0, uncertainty_permille=0).first_leakage_bits
        / (10 * entropy_ppm(rate))
        for rate in range(10_000, 110_000, 2000)
    ]
    assert all(1.0 < efficiency < 1.3 for efficiency in leakages)
    assert all(abs(left - right) < 0.04 for left, right in pairwise(leakages))


def test_blind_rounds_begin_lower_and_end_where_the_doubt_asks() -> None:
    arguments = {"error_rate_ppm": 50_000, "uncertainty_permille": 50}
    one_way = plan_ldpc(10**7, blind_rounds=0, **arguments)
    blind = plan_ldpc(10**7, blind_rounds=3, **arguments)
    sure = plan_ldpc(10**7, blind_rounds=3, error_rate_ppm=50_000, uncertainty_permille=0)
    limit = 10 * entropy_ppm(50_000)
    assert blind.first_leakage_bits < sure.first_leakage_bits < 1.12 * limit < one_way.first_leakage_bits
    assert blind.frames * blind.syndrome_bits > 1.2 * limit


def test_fewer_failures_at_first_disclose_more_at_once() -> None:
    leakages = [
        plan_ldpc(10**7, error_rate_ppm=30_000, first_failures_permille=failures).first_leakage_bits
        for failures in sorted(FAILURE_WIDTHS)
    ]
    assert leakages == sorted(leakages, reverse=True)
    assert leakages[0] > 1.05 * leakages[-1]


@given(st.integers(1, 1000), st.integers(64, 40_000))
def test_what_puncturing_costs_is_disclosed_too(permille: int, checks: int) -> None:
    need = checks * permille // 1000
    disclosed = disclosed_bits(need, checks)
    loss = PUNCTURING_LOSS_PERMILLE / 1000
    assert disclosed == pytest.approx(need * (1 + loss * (1 - disclosed / checks)), abs=1.5)
    assert disclosed_bits(checks, checks) == checks


def test_what_cannot_be_planned_is_refused() -> None:
    for arguments in (
        {"block_bits": 0, "error_rate_ppm": 1000},
        {"block_bits": 1000, "error_rate_ppm": 0},
        {"block_bits": 1000, "error_rate_ppm": 500_000},
        {"block_bits": 1000, "error_rate_ppm": 400_000},
        {"block_bits": 1000, "error_rate_ppm": 1000, "frame_bits": 1000},
        {"block_bits": 1000, "error_rate_ppm": 1000, "failures_permille": 7},
        {"block_bits": 1000, "error_rate_ppm": 1000, "failures_permille": 700},
        {"block_bits": 1000, "error_rate_ppm": 1000, "first_failures_permille": 7},
        {"block_bits": 1000, "error_rate_ppm": 1000, "blind_rounds": 17},
    ):
        with pytest.raises(InputError):
            plan_ldpc(**arguments)


def test_plans_that_contradict_themselves_cannot_be_built() -> None:
    plan = plan_ldpc(10**6, error_rate_ppm=30_000)
    fields = {name: getattr(plan, name) for name in LdpcPlan.__slots__}
    for change in (
        {"code": "none"},
        {"key_bits": plan.key_bits + 1},
        {"block_bits": 10**7},
        {"blind_rounds": -1},
        {"error_rate_ppm": 0},
        {"first_failures_permille": 7},
        {
            "key_bits": 10**5 // 4,
            "block_bits": 10**5,
            "frames": 4,
            "punctured_bits": puncturable_count(plan.code) + 1,
            "shortened_bits": plan.frame_bits - 10**5 // 4 - puncturable_count(plan.code) - 1,
        },
    ):
        with pytest.raises(ConfigurationError):
            LdpcPlan(**{**fields, **change})
