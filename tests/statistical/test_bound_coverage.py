"""Do the bounds fail as seldom as they say? Blocks drawn at random, where small counts stress the bounds most.

Each test also runs an estimator that is deliberately unsafe through the same check and asserts that it is caught, so
that a check which cannot fail would itself fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from qkdpost.security.concentration import (
    binomial_at_most,
    clopper_pearson_lower,
    clopper_pearson_upper,
    hypergeometric_key_errors,
)
from qkdpost.security.decoy_estimate import SinglePhotons, count_events, estimate_single_photons, point_estimate
from qkdpost.tallies import DecoyTally
from reference.links import DecoyLink, DrawnBlock, draw_block

BLOCKS = 100_000
pytestmark = pytest.mark.slow


def allowed(probability: float, blocks: int) -> float:
    """What a failure probability may show in so many blocks, five standard deviations above it."""
    return probability + 5 * math.sqrt(probability * (1 - probability) / blocks)


@pytest.mark.parametrize("tail", [1e-2, 1e-3])
@pytest.mark.parametrize(("key_bits", "test_bits", "errors"), [(300, 100, 12), (2_000, 200, 40), (500, 500, 5)])
def test_random_sampling(key_bits: int, test_bits: int, errors: int, tail: float) -> None:
    """BB84 and BBM92 with one qubit a round: a fixed error pattern, a random test."""
    rng = np.random.default_rng(11)
    seen = rng.hypergeometric(errors, key_bits + test_bits - errors, test_bits, size=BLOCKS)
    exact = {int(x): hypergeometric_key_errors(key_bits, test_bits, int(x), tail) for x in np.unique(seen)}
    failures = np.mean([errors - x > exact[int(x)] for x in seen])
    assert failures <= allowed(tail, BLOCKS)
    deviation = math.sqrt(-math.log(tail) / (2 * test_bits)) / 3
    unsafe = np.mean([errors - x > key_bits * (x / test_bits + deviation * math.sqrt(x / test_bits)) for x in seen])
    assert unsafe > allowed(tail, BLOCKS)


@pytest.mark.parametrize("tail", [1e-2, 1e-3])
def test_intervals_for_trials_that_are_not_alike(tail: float) -> None:
    """Clopper and Pearson on labels of rounds with different photon numbers."""
    rng = np.random.default_rng(12)
    chances = np.concatenate([np.full(40, 0.03), np.full(20, 0.2), np.full(5, 0.9)])
    seen = np.zeros(BLOCKS, dtype=np.int64)
    for chance in chances:
        seen += rng.random(BLOCKS) < chance
    mean = float(chances.mean())
    upper = {int(x): clopper_pearson_upper(chances.size, int(x), tail) for x in np.unique(seen)}
    lower = {int(x): clopper_pearson_lower(chances.size, int(x), tail) for x in np.unique(seen)}
    assert np.mean([upper[int(x)] < mean for x in seen]) <= allowed(tail, BLOCKS)
    assert np.mean([lower[int(x)] > mean for x in seen]) <= allowed(tail, BLOCKS)
    narrow = {x: x / chances.size + 0.4 * (u - x / chances.size) for x, u in upper.items()}
    assert np.mean([narrow[int(x)] < mean for x in seen]) > allowed(tail, BLOCKS)


LINKS = {
    "two decoys": DecoyLink(
        intensities=(0.5, 0.15, 0.005),
        probabilities=(0.3, 0.3, 0.4),
        transmittance=0.02,
        dark=2e-4,
        misalignment=0.03,
        key_share=0.5,
        test_share=0.4,
    ),
    "one decoy": DecoyLink(  # weak pulses and many errors: little slack besides the statistics
        intensities=(0.1, 0.02),
        probabilities=(0.5, 0.5),
        transmittance=0.05,
        dark=1e-4,
        misalignment=0.2,
        key_share=0.5,
        test_share=0.4,
    ),
}


PULSES = {"two decoys": 3_000_000, "one decoy": 500_000}


def _violation(block: DrawnBlock, found: SinglePhotons) -> bool:
    return (
        block.key_single < found.key or block.test_single < found.test or block.test_single_errors > found.test_errors
    )


def _failures(kind: str, blocks: int, estimate: Callable[[DecoyTally], SinglePhotons], seed: int) -> float:
    """The share of blocks in which an estimate is violated."""
    rng = np.random.default_rng(seed)
    drawn = (draw_block(LINKS[kind], PULSES[kind], rng) for _ in range(blocks))
    return sum(_violation(block, estimate(block.tally)) for block in drawn) / blocks


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize(("total", "blocks"), [(1e-2, 20_000), (1e-3, BLOCKS)])
def test_analytic_decoy_bounds(kind: str, total: float, blocks: int) -> None:
    """All events of a block together fail at most as often as their sum."""

    def estimate(tally: DecoyTally) -> SinglePhotons:
        tail = total / count_events(tally, "analytic")
        return estimate_single_photons(tally, method="analytic", intervals="clopper-pearson", tail=tail)

    assert _failures(kind, blocks, estimate, 21) <= allowed(total, blocks)


@pytest.mark.parametrize("kind", LINKS)
def test_linear_program_bounds(kind: str) -> None:
    """The same for the program, on fewer blocks, for it is slower."""
    blocks, total = 4_000, 1e-2

    def estimate(tally: DecoyTally) -> SinglePhotons:
        tail = total / count_events(tally, "linear-program")
        return estimate_single_photons(tally, method="linear-program", intervals="clopper-pearson", tail=tail)

    assert _failures(kind, blocks, estimate, 22) <= allowed(total, blocks)


@pytest.mark.parametrize("kind", LINKS)
def test_estimates_without_deviations_are_caught(kind: str) -> None:
    """The sampler's own power: point estimates, used as if they were bounds, are violated far too often."""
    blocks = 5_000
    failures = _failures(kind, blocks, lambda tally: point_estimate(tally, "analytic"), 23)
    assert failures > allowed(1e-2, blocks)


@pytest.mark.parametrize("total", [1e-2, 1e-3])
def test_phase_errors_of_single_photons(total: float) -> None:
    """Decoy estimate and sampling together: the key's phase errors lie above the bound at most as often as allowed."""
    link, blocks = LINKS["two decoys"], 20_000
    rng = np.random.default_rng(24)
    failed = unsafe = 0
    for _ in range(blocks):
        block = draw_block(link, 2_000_000, rng)
        tail = total / 2 / count_events(block.tally, "analytic")
        found = estimate_single_photons(block.tally, method="analytic", intervals="clopper-pearson", tail=tail)
        key, test, wrong = math.floor(found.key), math.floor(found.test), math.floor(found.test_errors)
        bound = 0.5
        if test > 0 and key > 0 and 2 * wrong < test:
            bound = hypergeometric_key_errors(key, test, wrong, total / 2) / key
        observed = block.key_phase_errors / block.key_single
        failed += (found.key > block.key_single) or (bound < 0.5 and observed > bound)
        unsafe += observed > block.test_single_errors / block.test_single
    assert failed / blocks <= allowed(total, blocks)
    assert unsafe / blocks > allowed(total, blocks)


@pytest.mark.parametrize("tail", [1e-2, 1e-3])
def test_multiphoton_pulses_and_sampling_of_a_single_photon_source(tail: float) -> None:
    """Multi-photon pulses all get through and show no error; the rest are sampled."""
    rng = np.random.default_rng(31)
    pulses, key_share, test_share, multiple = 200_000, 0.5, 0.2, 4e-4
    detection, error = 0.01, 0.03
    lost = [binomial_at_most(pulses, share * multiple, tail / 3) for share in (key_share, test_share)]

    @cache
    def worst(key: int, test: int, wrong: int) -> int:
        return hypergeometric_key_errors(key, test, wrong, tail / 3)

    failed = unsafe = 0
    for _ in range(BLOCKS):
        multi_key, multi_test = rng.binomial(pulses, [key_share * multiple, test_share * multiple])
        key, test = rng.binomial(pulses, [key_share * detection, test_share * detection])
        wrong, phase = rng.binomial([test, key], error)
        kept_key, kept_test = int(key + multi_key) - lost[0], int(test + multi_test) - lost[1]
        bound = worst(kept_key, kept_test, min(kept_test, int(wrong))) / kept_key
        failed += kept_key > key or kept_test > test or phase / key > bound
        unsafe += phase / key > wrong / test
    assert failed / BLOCKS <= allowed(tail, BLOCKS)
    assert unsafe / BLOCKS > allowed(tail, BLOCKS)
