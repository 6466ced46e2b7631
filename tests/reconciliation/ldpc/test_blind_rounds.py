"""When to try and how much to ask for: optimal levels by scipy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm

from qkdpost.reconciliation.ldpc.blind_rounds import NeedLaw, need_law, next_width, wanted_bits, worth_trying
from qkdpost.reconciliation.ldpc.disclosure import FIRST_WIDTHS
from qkdpost.reconciliation.ldpc.plan import plan_ldpc
from qkdpost.reconciliation.ldpc.syndrome_rate import RateEstimate

LAST = 3.09


def _disclosure(levels: np.ndarray) -> float:
    """The expected disclosure, in widths above the middle, of a frame that is tried at the levels in turn."""
    return float(levels[0] + (np.diff(levels) * norm.sf(levels[:-1])).sum())


def _levels(rounds: int) -> list[float]:
    levels = [next_width(None, LAST, rounds)]
    while len(levels) < rounds:
        levels.append(next_width(levels[-1], LAST, rounds - len(levels)))
    return levels


@pytest.mark.parametrize("rounds", [2, 3, 4, 6])
def test_scipy_finds_no_better_levels_from_the_first_on(rounds: int) -> None:
    first = next_width(None, LAST, rounds)
    start = np.linspace(-0.5, 2.0, rounds - 1)
    best = minimize(
        lambda free: _disclosure(np.append(np.sort(free), LAST)),
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 40_000, "maxfev": 40_000},
    )
    found = np.append(np.sort(best.x), LAST)
    assert first == pytest.approx(found[0], abs=2e-3)


@pytest.mark.parametrize("now", [-1.0, 0.3])
def test_scipy_finds_no_better_levels_after_a_failure(now: float) -> None:
    best = minimize(
        lambda free: _disclosure(np.concatenate([[now], np.sort(free), [LAST]])), [1.0, 2.0], method="Nelder-Mead"
    )
    assert next_width(now, LAST, 3) == pytest.approx(np.sort(best.x)[0], abs=2e-3)


def test_the_table_of_the_plan_holds_the_first_levels() -> None:
    found = tuple(round(1000 * next_width(None, LAST, rounds)) for rounds in range(1, len(FIRST_WIDTHS) + 1))
    assert found == FIRST_WIDTHS


@given(st.integers(1, 16), st.floats(-5, 5), st.floats(-2, 4))
def test_levels_rise_to_the_last(rounds: int, now: float, last: float) -> None:
    found = next_width(now, last, rounds)
    assert found <= last
    assert found >= min(now, last)
    assert rounds > 1 or found == last


def test_more_rounds_disclose_less() -> None:
    costs = [_disclosure(np.array(_levels(rounds))) for rounds in (1, 2, 3, 4, 8)]
    assert all(more > fewer for more, fewer in pairwise(costs))
    assert costs[3] == pytest.approx(0.603, abs=0.01)


@given(st.floats(-4, 4))
def test_levels_and_disclosed_bits_are_one_another(width: float) -> None:
    law = NeedLaw(3000.0, 60.0)
    disclosed = law.disclosed_at(width, 4000)
    assert law.width_at(disclosed, 4000) == pytest.approx(width, abs=0.05)
    assert law.width_at(disclosed, 4000) >= width - 1e-9


def test_what_is_asked_for_rises_and_ends() -> None:
    plan = plan_ldpc(10**6, error_rate_ppm=30_000)
    law = need_law(plan, "fast", RateEstimate(0.03, 0.005))
    disclosed, asked = plan.syndrome_bits - plan.punctured_bits, []
    for rounds_left in (3, 2, 1):
        asked.append(wanted_bits(plan, law, disclosed, rounds_left, True))
        disclosed += asked[-1]
    assert min(asked) > 0
    assert disclosed <= plan.syndrome_bits
    assert wanted_bits(plan, law, disclosed, 0, True) == 0
    assert wanted_bits(plan, law, plan.syndrome_bits, 2, True) == 0
    noise = need_law(plan, "fast", RateEstimate(0.45, 0.01))
    assert not worth_trying(plan, noise, disclosed, 0)
    assert wanted_bits(plan, noise, disclosed, 3, False) == 0


def test_a_law_that_proves_wrong_has_the_rest_shared_out() -> None:
    plan = plan_ldpc(10**6, error_rate_ppm=30_000)
    law = need_law(plan, "fast", RateEstimate(0.01, 0.005))
    disclosed = plan.syndrome_bits - plan.punctured_bits
    assert wanted_bits(plan, law, disclosed, 2, True) == -(-plan.punctured_bits // 2)
