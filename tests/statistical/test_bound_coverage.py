"""Do the bounds fail as seldom as they say? Blocks drawn at random, where small counts stress the bounds most.

Each test also runs an estimator that is deliberately unsafe through the same check and asserts that it is caught, so
that a check which cannot fail would itself fail. Whole (`--slow`), each test draws 100,000 blocks; else a sample.
`-rP` shows how often each bound failed, and how often it might have.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from qkdpost.security.decoy.phase_errors import single_photon_phase_error_rate
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import DecoyCounts, wiesemann_2026
from qkdpost.security.decoy.single_photons import SinglePhotons, count_events, estimate_single_photons, point_estimate
from qkdpost.security.qubits.both_bases import phase_error_bound_of_samples
from qkdpost.security.qubits.tally import SampledTally
from qkdpost.statistics.concentration import binomial_at_most, clopper_pearson_lower, clopper_pearson_upper
from qkdpost.statistics.sampling import hypergeometric_key_errors
from reference.links import DecoyLink, DrawnBlocks, draw_blocks

SIZES = [pytest.param(3_000, id="sampled"), pytest.param(100_000, id="whole", marks=pytest.mark.slow)]


def allowed(probability: float, blocks: int) -> float:
    """What a failure probability may show in so many blocks, five standard deviations above it."""
    return probability + 5 * math.sqrt(probability * (1 - probability) / blocks)


def judge(what: str, failures: int, blocks: int, probability: float) -> None:
    """Say how often a bound failed, and fail if that is too often."""
    most = allowed(probability, blocks) * blocks
    print(f"{what}: {failures} of {blocks} blocks; {probability * blocks:.0f} are meant, {most:.0f} allowed")
    assert failures <= most


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("tail", [1e-2, 1e-3])
@pytest.mark.parametrize(("key_bits", "test_bits", "few"), [(300, 100, 0), (2_000, 200, 4), (500, 500, 12)])
def test_random_sampling(key_bits: int, test_bits: int, few: int, tail: float, blocks: int) -> None:
    """BB84 and BBM92 by basis, one qubit a round: a fixed error pattern, a random test.

    There are just so many errors that the bound fails when `few` are seen: where it is stressed most.
    """
    rng = np.random.default_rng(11)
    errors = hypergeometric_key_errors(key_bits, test_bits, few, tail) + few + 1
    seen = rng.hypergeometric(errors, key_bits + test_bits - errors, test_bits, size=blocks)
    exact = {int(x): hypergeometric_key_errors(key_bits, test_bits, int(x), tail) for x in np.unique(seen)}
    judge(f"by basis at {tail}", sum(errors - x > exact[int(x)] for x in seen), blocks, tail)
    assert np.mean([errors - x > key_bits * x / test_bits for x in seen]) > allowed(tail, blocks)


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("tail", [1e-2, 1e-3])
@pytest.mark.parametrize(
    ("key_bits", "test_bits", "few"),
    [((300, 200), (80, 100), (1, 1)), ((2_000, 60), (500, 90), (4, 2)), ((900, 0), (0, 300), (0, 3))],
)
def test_samples_of_both_bases(
    *, key_bits: tuple[int, int], test_bits: tuple[int, int], few: tuple[int, int], tail: float, blocks: int
) -> None:
    """BB84 and BBM92 by sample: in each basis just so many rounds would differ that its own bound fails at `few`.

    The unsafe bound takes the error rate of the whole sample.
    """
    rng = np.random.default_rng(13)
    marked, seen = [], []
    for basis in (0, 1):
        others = key_bits[1 - basis]
        worst = hypergeometric_key_errors(others, test_bits[basis], few[basis], tail / 2)
        marked.append(min(others + test_bits[basis], worst + few[basis] + 1) if others else 0)
        clean = others + test_bits[basis] - marked[basis]
        seen.append(rng.hypergeometric(marked[basis], clean, test_bits[basis], blocks).tolist())

    @cache
    def most(first: int, second: int) -> float:
        tally = SampledTally(key_counts=key_bits, test_counts=test_bits, test_errors=(first, second))
        return phase_error_bound_of_samples(tally, math.sqrt(tail), "hypergeometric")[0] * sum(key_bits)

    failed = unsafe = 0
    for first, second in zip(*seen, strict=True):
        phase_errors = sum(marked) - first - second
        failed += phase_errors > most(first, second) + 1e-9 and 2 * most(first, second) < sum(key_bits)
        unsafe += phase_errors > (first + second) / sum(test_bits) * sum(key_bits)
    judge(f"by sample at {tail}", failed, blocks, tail)
    assert unsafe / blocks > allowed(tail, blocks)


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("tail", [1e-2, 1e-3])
def test_intervals_for_trials_that_are_not_alike(tail: float, blocks: int) -> None:
    """Clopper and Pearson on labels of rounds with different photon numbers."""
    rng = np.random.default_rng(12)
    chances = np.concatenate([np.full(40, 0.03), np.full(20, 0.2), np.full(5, 0.9)])
    seen = np.zeros(blocks, dtype=np.int64)
    for chance in chances:
        seen += rng.random(blocks) < chance
    mean = float(chances.mean())
    upper = {int(x): clopper_pearson_upper(chances.size, int(x), tail) for x in np.unique(seen)}
    lower = {int(x): clopper_pearson_lower(chances.size, int(x), tail) for x in np.unique(seen)}
    judge("upper limits", sum(upper[int(x)] < mean for x in seen), blocks, tail)
    judge("lower limits", sum(lower[int(x)] > mean for x in seen), blocks, tail)
    narrow = {x: x / chances.size + 0.4 * (u - x / chances.size) for x, u in upper.items()}
    assert np.mean([narrow[int(x)] < mean for x in seen]) > allowed(tail, blocks)


# Some hundred counts of weak pulses: hardly any held two photons, so that little slack is left besides the statistics.
LINKS = {
    "two decoys": DecoyLink(
        intensities=(0.1, 0.01, 0.0),
        probabilities=(0.2, 0.4, 0.4),
        transmittance=0.1,
        dark=1e-7,
        misalignment=0.2,
        key_share=0.5,
        test_share=0.4,
    ),
    "one decoy": DecoyLink(
        intensities=(0.1, 0.01),
        probabilities=(0.5, 0.5),
        transmittance=0.1,
        dark=1e-7,
        misalignment=0.002,
        key_share=0.5,
        test_share=0.4,
    ),
}
PULSES = 400_000
METHODS = ["linear-program", "analytic"]


def suspects(drawn: DrawnBlocks, tail: float) -> NDArray[np.bool_]:
    """The blocks in which at least one of the events has failed that the decoy bounds rest on.

    The truth, N_0, N_1, ... members with 0, 1, ... photons in each class, satisfies every constraint of the linear
    program if each label's mean count E_k = sum_n N_n p(k | n) lies in its interval and the rounds without a photon
    lie below their cap; the least (or largest) N_1 of all that satisfy them then lies on the right side of the true
    one. The analytic bounds are consequences of the same inequalities. So a bound can be violated only in a block in
    which some interval misses its E_k, or in which the fair coins of the empty rounds fell so that their number is
    excluded, and it is enough to evaluate these. They are found by the distribution functions that the intervals
    invert, with a part in 10^6 to spare; `test_only_suspects_violate_bounds` evaluates all blocks.
    """
    found = np.zeros(drawn.key_phase_errors.size, dtype=bool)
    two_labels = len(drawn.link.intensities) == 2
    limit = tail * (1 + 1e-6)
    posterior = drawn.label_probabilities()
    for name in ("key", "test", "test_errors") + (("key_errors",) if two_labels else ()):
        seen = drawn.labels[name].astype(float)
        total = seen.sum(axis=1, keepdims=True)
        chance = np.minimum(1.0, drawn.photons[name] @ posterior / np.maximum(1.0, total))
        with np.errstate(invalid="ignore"):
            too_high = (seen < total) & (special.betainc(total - seen, seen + 1, 1 - chance) <= limit)
            too_low = (seen > 0) & (special.betainc(seen, total - seen + 1, chance) <= limit)
        found |= (too_high | too_low).any(axis=1)
    if two_labels:
        for name in ("key", "test"):
            empty, wrong = drawn.photons[name][:, 0], drawn.photons[f"{name}_errors"][:, 0]
            found |= (empty > wrong) & (special.bdtr(wrong.astype(float), empty, 0.5) <= limit)
    return found


def violated(drawn: DrawnBlocks, block: int, bounds: SinglePhotons) -> bool:
    return bool(
        drawn.photons["key"][block, 1] < bounds.key
        or drawn.photons["test"][block, 1] < bounds.test
        or drawn.photons["test_errors"][block, 1] > bounds.test_errors
    )


def _bounds(drawn: DrawnBlocks, block: int, method: str, total: float) -> SinglePhotons:
    """The bounds of a block whose events may fail with probability `total` all together."""
    tally = drawn.tally(block)
    tail = total / count_events(tally, method)  # type: ignore[arg-type]
    return estimate_single_photons(tally, method=method, intervals="clopper-pearson", tail=tail)  # type: ignore[arg-type]


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("total", [1e-2, 1e-3])
def test_decoy_bounds(kind: str, method: str, total: float, blocks: int) -> None:
    """Single photons in key and test, and errors among them: the bounds of a block hold together."""
    drawn = draw_blocks(LINKS[kind], PULSES, blocks, np.random.default_rng(21))
    candidates = np.flatnonzero(suspects(drawn, total / count_events(drawn.tally(0), method)))  # type: ignore[arg-type]
    failures = sum(violated(drawn, block, _bounds(drawn, block, method, total)) for block in candidates.tolist())
    judge(f"{kind} by {method} at {total}", failures, blocks, total)


@pytest.mark.parametrize(
    "blocks", [pytest.param(150, id="sampled"), pytest.param(3_000, id="whole", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LINKS)
def test_only_suspects_violate_bounds(kind: str, method: str, blocks: int) -> None:
    """Every block evaluated, at an epsilon at which many fail: none but suspects do."""
    total = 0.9
    drawn = draw_blocks(LINKS[kind], PULSES, blocks, np.random.default_rng(22))
    suspected = suspects(drawn, total / count_events(drawn.tally(0), method))  # type: ignore[arg-type]
    failed = np.array([violated(drawn, block, _bounds(drawn, block, method, total)) for block in range(blocks)])
    print(f"{kind} by {method}: {failed.sum()} of {blocks} violated, {suspected.sum()} suspected")
    assert not np.any(failed & ~suspected)
    assert suspected.sum() < blocks
    judge(f"{kind} by {method} at {total}", int(failed.sum()), blocks, total)


@pytest.mark.parametrize(
    "blocks", [pytest.param(500, id="sampled"), pytest.param(20_000, id="whole", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LINKS)
def test_estimates_without_deviations_are_caught(kind: str, method: str, blocks: int) -> None:
    """The sampler's own power: point estimates, used as if they were bounds, are violated far too often."""
    blocks = min(blocks, 2_000) if method == "linear-program" else blocks
    drawn = draw_blocks(LINKS[kind], PULSES, blocks, np.random.default_rng(23))
    failures = sum(violated(drawn, block, point_estimate(drawn.tally(block), method)) for block in range(blocks))  # type: ignore[arg-type]
    print(f"{kind} by {method}, without deviations: {failures} of {blocks} blocks")
    assert failures / blocks > allowed(1e-2, blocks)


@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("total", [1e-2, 1e-3])
def test_intervals_that_are_too_narrow_are_caught(kind: str, total: float) -> None:
    """Power near the edge: the same intervals at ninety times the tail they are charged are violated too often."""
    blocks = 20_000
    drawn = draw_blocks(LINKS[kind], PULSES, blocks, np.random.default_rng(25))
    unsafe = 90 * total
    candidates = np.flatnonzero(suspects(drawn, unsafe / count_events(drawn.tally(0), "analytic")))
    failures = sum(violated(drawn, block, _bounds(drawn, block, "analytic", unsafe)) for block in candidates.tolist())
    print(f"{kind}, tails {unsafe / total:.0f} times too large at {total}: {failures} of {blocks} blocks")
    assert failures / blocks > allowed(total, blocks)


@cache
def _worst(key: int, test: int, wrong: int, tail: float) -> int:
    return hypergeometric_key_errors(key, test, wrong, tail)


def phase_suspects(drawn: DrawnBlocks, phase: NDArray[np.int64], method: str, total: float) -> NDArray[np.bool_]:
    """The blocks in which single photons and the rate of their phase errors may violate their bounds.

    The rate that is allowed falls with the single photons that are certified, up to one error, and rises with the
    errors among those of the test. Where no decoy event failed it is that of the true numbers at least, less one
    error: only where the phase errors come up to that, or a decoy event failed, need the bound be evaluated.
    """
    found = suspects(drawn, total / 2 / count_events(drawn.tally(0), method))  # type: ignore[arg-type]
    singles = [drawn.photons[name][:, 1].tolist() for name in ("key", "test", "test_errors")]
    worst = [_worst(key, test, wrong, total / 2) for key, test, wrong in zip(*singles, strict=True)]
    return found | (phase >= np.array(worst))


def phase_violated(drawn: DrawnBlocks, phase: NDArray[np.int64], block: int, method: str, total: float) -> bool:
    """Whether a block has fewer single photons or more phase errors among them than is certified."""
    bounds = _bounds(drawn, block, method, total / 2)
    longest = int(drawn.labels["key"][block].sum()) if len(drawn.link.intensities) == 2 else None
    rate, _ = single_photon_phase_error_rate(bounds, total / 2, "hypergeometric", longest)
    key = int(drawn.photons["key"][block, 1])
    return bounds.key > key or (rate < 0.5 and int(phase[block]) / key > rate)


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("total", [1e-2, 1e-3])
@pytest.mark.parametrize("attack", ["apart", "together"])
def test_phase_errors_of_single_photons(*, attack: str, kind: str, method: str, total: float, blocks: int) -> None:
    """Decoy estimate and sampling together, half of epsilon for either.

    Phase errors of the key are apart from its bit errors, or the same rounds have both, so that what is counted by
    errors of the key depends on where the phase errors are.
    """
    drawn = draw_blocks(LINKS[kind], PULSES, blocks, np.random.default_rng(24))
    phase = drawn.key_phase_errors if attack == "apart" else drawn.photons["key_errors"][:, 1]
    candidates = np.flatnonzero(phase_suspects(drawn, phase, method, total))
    failures = sum(phase_violated(drawn, phase, block, method, total) for block in candidates.tolist())
    judge(f"{kind} by {method} at {total}, phase errors {attack}", failures, blocks, total)
    key, test, wrong = (drawn.photons[name][:, 1] for name in ("key", "test", "test_errors"))
    assert np.mean(phase / key > wrong / test) > allowed(total, blocks)


@pytest.mark.parametrize("kind", LINKS)
def test_only_phase_suspects_violate_bounds(kind: str) -> None:
    """Every block evaluated, at an epsilon at which many fail."""
    blocks, total = 3_000, 0.9
    drawn = draw_blocks(LINKS[kind], PULSES, blocks, np.random.default_rng(26))
    suspected = phase_suspects(drawn, drawn.key_phase_errors, "analytic", total)
    failed = [phase_violated(drawn, drawn.key_phase_errors, block, "analytic", total) for block in range(blocks)]
    print(f"{kind}: {sum(failed)} of {blocks} violated, {suspected.sum()} suspected")
    assert not np.any(np.array(failed) & ~suspected)
    assert sum(failed) > 0
    assert suspected.sum() < blocks


def published_violated(drawn: DrawnBlocks, smoothing: float) -> int:
    """Count the blocks in which an estimate of Wiesemann et al. is on the wrong side of the truth."""
    source, failures = PhotonStatistics(drawn.link.intensities, drawn.link.probabilities), 0
    for block, phase in enumerate(drawn.key_phase_errors.tolist()):
        tally = drawn.tally(block)
        counts = DecoyCounts(
            source=source,
            key_counts=tally.key_counts,
            test_counts=tally.test_counts,
            test_errors=tally.test_errors,
            key_errors=tally.key_errors,
        )
        found = wiesemann_2026(counts, smoothing)
        assert found.key > 0.0
        (empty, key), test = drawn.photons["key"][block, :2].tolist(), int(drawn.photons["test"][block, 1])
        failures += (
            found.vacuum > empty
            or found.key > key
            or found.test > test
            or found.test_errors < int(drawn.photons["test_errors"][block, 1])
            or (found.phase_error_rate < 0.5 and phase / key > found.phase_error_rate)
        )
    return failures


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("total", [1e-2, 1e-3])
def test_the_fixed_length_form_of_decoy_states(kind: str, total: float, blocks: int) -> None:
    """The events of its ledger and the sampling: in longer blocks, for its deviations leave nothing of short ones."""
    drawn = draw_blocks(LINKS[kind], 100 * PULSES, blocks, np.random.default_rng(27))
    events = 10 if kind == "one decoy" else 12
    judge(f"{kind} by Wiesemann et al. at {total}", published_violated(drawn, total / (events + 1)), blocks, total)
    few = draw_blocks(LINKS[kind], 100 * PULSES, 1_000, np.random.default_rng(28))
    assert published_violated(few, 0.9) / 1_000 > allowed(total, 1_000)


@pytest.mark.parametrize("blocks", SIZES)
@pytest.mark.parametrize("tail", [1e-2, 1e-3])
def test_multiphoton_pulses_and_sampling_of_a_single_photon_source(tail: float, blocks: int) -> None:
    """Multi-photon pulses all get through and show no error; the rest are sampled."""
    rng = np.random.default_rng(31)
    pulses, key_share, test_share, multiple = 200_000, 0.5, 0.2, 4e-4
    detection, error = 0.01, 0.03
    lost = [binomial_at_most(pulses, share * multiple, tail / 3) for share in (key_share, test_share)]

    @cache
    def worst(key: int, test: int, wrong: int) -> int:
        return hypergeometric_key_errors(key, test, wrong, tail / 3)

    failed = unsafe = 0
    for _ in range(blocks):
        multi_key, multi_test = rng.binomial(pulses, [key_share * multiple, test_share * multiple])
        key, test = rng.binomial(pulses, [key_share * detection, test_share * detection])
        wrong, phase = rng.binomial([test, key], error)
        kept_key, kept_test = int(key + multi_key) - lost[0], int(test + multi_test) - lost[1]
        bound = worst(kept_key, kept_test, min(kept_test, int(wrong))) / kept_key
        failed += kept_key > key or kept_test > test or phase / key > bound
        unsafe += phase / key > wrong / test
    judge(f"single photons at {tail}", failed, blocks, tail)
    assert unsafe / blocks > allowed(tail, blocks)
