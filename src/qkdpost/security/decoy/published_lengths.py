"""Lengths by the published decoy bounds: penalties, ledgers, acceptance. Their estimates are in `decoy_published`.

Acceptance
    The length is that of the thresholds. A block is accepted if the estimates that its observed counts give are at
    least as good, and its leakage at most as large. As the estimates are functions of the counts, this is a set of
    counts, leakages and error patterns that was fixed beforehand; nothing else about it enters the proof. For each
    announced number of detections, labels are independent given the photon numbers, and the test rounds a random
    subset, so that an estimate fails with the probabilities of the ledger at most, over all that may be seen; failing
    *and* being accepted is not more likely. States are kept sub-normalised by the probability of being accepted, and
    nothing is ever divided by it. Given that the estimates hold, a smooth min-entropy that suffices for the counts
    seen suffices for the thresholds, for it grows with the single photons (and those without) and falls with the
    phase-error rate. Observed numbers of detections need not be exact: the set may hold blocks of many sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from qkdpost.checks import choice
from qkdpost.errors import ConfigurationError
from qkdpost.link_parts import DecoyAcceptance
from qkdpost.security import assumptions as assume
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published_estimates import (
    DecoyCounts,
    PublishedEstimate,
    estimate_without_deviations,
    lim_2014,
    rusca_2018,
    wiesemann_2026,
)
from qkdpost.security.decoy.single_photons import what_contradicts
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.result import SecretLength, Term, secret_length_of_terms
from qkdpost.security.theorem import correction_terms
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.tallies import DecoyTally, fixed_intensities

__all__ = ["PUBLISHED", "DecoyAcceptance", "published_estimate", "published_length"]


def published_length(
    bound: str,
    tally: DecoyTally,
    *,
    leakage_bits: int,
    verification_bits: int | None,
    epsilon: Epsilon,
    two_way: bool,
    acceptance: DecoyAcceptance | None,
    assumptions: Sequence[str],
) -> SecretLength:
    """Return the length of a published bound; see `decoy_bb84.secret_length`.

    Raises:
        InputError: impossible numbers of bits.
        ConfigurationError: an unknown bound, a tally that it is not made for, or verification charged too little.
    """
    rule = _rule(bound, len(tally.intensities), epsilon)
    points = fixed_intensities(tally.intensities, f"bound {bound!r}", error=ConfigurationError)
    counts = DecoyCounts(
        source=PhotonStatistics(points, tally.probabilities),
        key_counts=tally.key_counts,
        test_counts=tally.test_counts,
        test_errors=tally.test_errors,
        key_errors=tally.key_errors,
    )
    found = rule.evaluate(counts)
    # A bound with one decoy announces errors of the key, which the vacuum term does not survive.
    announced = rule.rigorous and len(tally.intensities) == 2
    vacuum = 0.0 if two_way or announced else found.vacuum
    singles, rate, charged, abort = found.key, found.phase_error_rate, leakage_bits, ""
    thresholds = assume.THRESHOLDS_ARE_THE_COUNTS
    if acceptance is not None:
        if verification_bits is None:  # the threshold covers verification, so what will come of it counts now
            verification_bits = epsilon.verification_charge_bits
            leakage_bits += verification_bits
        abort = _abort(acceptance, vacuum, found, leakage_bits)
        vacuum, singles = float(0 if two_way or announced else acceptance.vacuum), float(acceptance.single_photons)
        rate, charged = acceptance.phase_error_rate, max(leakage_bits, acceptance.leakage_bits)
        thresholds = assume.FIXED_BEFORE_DATA
    costs = correction_terms(charged, verification_bits, epsilon)
    of_all, of_rate = f"of {tally.key_bits} key detections", f"-s h({rate:.5f})"
    if tally.key_bits and not found.key and rule.rigorous:
        of_all = f"{of_all}: few, or {what_contradicts(tally)}"
    if acceptance is not None:
        of_all = f"the threshold; the counts prove {found.key:.0f} {of_all}"
        of_rate = f"{of_rate}, the threshold; the counts prove {found.phase_error_rate:.5f}"
        costs = (
            replace(costs[0], explanation=f"the threshold; with verification, {leakage_bits} of it used"),
            costs[1],
        )
    terms = (
        Term(name="single photons", bits=singles, explanation=of_all),
        Term(name="phase errors", bits=-singles * binary_entropy(rate), explanation=of_rate),
        Term(name="vacuum", bits=vacuum, explanation=_why_vacuum(two_way, announced)),
        *costs,
        Term(name="smoothing and hash", bits=-rule.penalty_bits, explanation=rule.penalty),
    )
    asymptotic = estimate_without_deviations(counts)
    return secret_length_of_terms(
        terms,
        bound=bound,
        form="fixed-length",
        rigorous=rule.rigorous,
        assumptions=(*assumptions, thresholds),
        epsilon=rule.ledger,
        phase_error_rate=rate,
        asymptotic_bits=asymptotic.key * (1.0 - binary_entropy(asymptotic.phase_error_rate))
        + (0.0 if two_way or announced else asymptotic.vacuum)
        + costs[0].bits,
        key_bits=tally.key_bits,
        abort=abort,
        unproven=_unproven(rule.rigorous, two_way or announced, len(tally.intensities)),
    )


def _unproven(rigorous: bool, public_pattern: bool, intensities: int) -> tuple[str, ...]:
    steps = (
        (public_pattern, assume.ONE_WAY_THEOREM_TWO_WAYS),
        (intensities > 2, assume.DERIVED_CONSTANT),
    )
    return tuple(step for taken, step in steps if taken) if rigorous else ()


def _why_vacuum(two_way: bool, announced: bool) -> str:
    if two_way:
        return "dropped: two-way correction"
    return "dropped: errors of the key are announced" if announced else "one-way"


def published_estimate(bound: str, counts: DecoyCounts, epsilon: Epsilon) -> PublishedEstimate:
    """Return what a published bound makes of counts at a budget: what acceptance thresholds are compared with.

    Raises:
        ConfigurationError: an unknown bound, or counts that it is not made for.
    """
    return _rule(bound, len(counts.source.intensities), epsilon).evaluate(counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One published bound for one budget."""

    evaluate: Callable[[DecoyCounts], PublishedEstimate]
    penalty_bits: float
    penalty: str
    rigorous: bool
    ledger: EpsilonLedger


def _wiesemann_rule(intensities: int, budget: Epsilon) -> _Rule:
    events = 10 if intensities == 2 else 12
    parts = events + 5
    smoothing = budget.secrecy / parts
    return _Rule(
        evaluate=lambda counts: wiesemann_2026(counts, smoothing),
        penalty_bits=4.0 * math.log2(parts / budget.secrecy) - 1.0,
        penalty=f"4 log2({parts} / (2^(1/4) eps_sec)): one chain rule, and the hash",
        rigorous=True,
        ledger=_ledger("wiesemann-2026", budget, smoothing, 2.0, events),
    )


def _lim_rule(intensities: int, budget: Epsilon) -> _Rule:
    return _Rule(
        evaluate=lambda counts: lim_2014(counts, budget.secrecy),
        penalty_bits=6.0 * math.log2(21.0 / budget.secrecy),
        penalty="6 log2(21 / eps_sec): two chain rules, and the hash",
        rigorous=False,
        ledger=_ledger("lim-2014", budget, budget.secrecy / 21.0, 4.0, 12),
    )


def _rusca_rule(intensities: int, budget: Epsilon) -> _Rule:
    return _Rule(
        evaluate=lambda counts: rusca_2018(counts, budget.secrecy),
        penalty_bits=6.0 * math.log2(19.0 / budget.secrecy),
        penalty="6 log2(19 / eps_sec): two chain rules, and the hash",
        rigorous=False,
        ledger=_ledger("rusca-2018", budget, budget.secrecy / 19.0, 4.0, 10),
    )


_RULES = {"wiesemann-2026": _wiesemann_rule, "lim-2014": _lim_rule, "rusca-2018": _rusca_rule}
PUBLISHED = tuple(_RULES)
"""The names of these bounds."""


def _ledger(proof: str, budget: Epsilon, part: float, smoothings: float, events: int) -> EpsilonLedger:
    return EpsilonLedger(
        proof=proof,
        budget=budget,
        terms=(
            EpsilonTerm(name="smoothing", value=part, weight=2.0 * smoothings, meaning="sampling and chain rules"),
            EpsilonTerm(name="eps_PA", value=part, weight=1.0, meaning="the hash is not quite uniform"),
            EpsilonTerm(name="decoy", value=part, weight=float(events), meaning="one of the decoy events"),
        ),
    )


def _rule(bound: str, intensities: int, budget: Epsilon) -> _Rule:
    return _RULES[choice("bound", bound, _RULES, error=ConfigurationError)](intensities, budget)


def _abort(acceptance: DecoyAcceptance, vacuum: float, found: PublishedEstimate, leakage_bits: int) -> str:
    """Return which threshold was missed and by what, or nothing."""
    for name, observed, threshold, good in (
        ("detections without a photon", vacuum, acceptance.vacuum, vacuum >= acceptance.vacuum),
        ("single photons", found.key, acceptance.single_photons, found.key >= acceptance.single_photons),
        (
            "phase-error rate",
            found.phase_error_rate,
            acceptance.phase_error_rate,
            found.phase_error_rate <= acceptance.phase_error_rate,
        ),
        ("leakage", leakage_bits, acceptance.leakage_bits, leakage_bits <= acceptance.leakage_bits),
    ):
        if not good:
            return f"not accepted: {name} {observed:.10g} is worse than the threshold {threshold:.10g}"
    return ""
