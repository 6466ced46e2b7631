"""Lengths by the published decoy bounds: penalties, ledgers, acceptance. Their estimates are in `estimates`.

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
from typing import Literal, get_args

from qkdpost.checks import choice
from qkdpost.errors import ConfigurationError
from qkdpost.security import assumptions as assume
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import (
    DecoyCounts,
    PublishedEstimate,
    estimate_without_deviations,
    lim_2014,
    rusca_2018,
    wiesemann_2026,
)
from qkdpost.security.decoy.single_photons import what_contradicts
from qkdpost.security.decoy.tally import DecoyTally, fixed_intensities
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.result import SecretLength, Term, secret_length_of_terms
from qkdpost.security.theorem import correction_terms
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["PUBLISHED", "DecoyAcceptance", "PublishedDecoyBound", "published_estimate", "published_length"]

PublishedDecoyBound = Literal["wiesemann-2026", "lim-2014", "rusca-2018"]
PUBLISHED: tuple[PublishedDecoyBound, ...] = get_args(PublishedDecoyBound)
"""The names of these bounds."""


def published_length(
    bound: str,
    tally: DecoyTally,
    disclosed: Disclosed,
    budget: Epsilon,
    acceptance: DecoyAcceptance | None,
    assumptions: Sequence[str],
) -> SecretLength:
    """Return the length of a published bound; see `decoy_bb84.secret_length`.

    Args:
        bound: one of `PUBLISHED`.
        tally: the block's counts.
        disclosed: what the conversation published of the key.
        budget: how far from ideal the key may be.
        acceptance: the thresholds that were set before the data were seen; None takes the counts for the thresholds.
        assumptions: what the kind takes for granted.

    Raises:
        ConfigurationError: an unknown bound, a tally that it is not made for, or verification charged too little.
    """
    rule = _rule(bound, len(tally.intensities), budget)
    counts = _counts(bound, tally)
    found = rule.evaluate(counts)
    # A bound with one decoy announces errors of the key, which the vacuum term does not survive.
    public = disclosed.two_way or (rule.rigorous and len(tally.intensities) == 2)
    question = _Question(tally, disclosed, budget, rule, found, public)
    basis = _by_counts(question) if acceptance is None else _by_thresholds(question, acceptance)
    costs = correction_terms(basis.charged, budget)
    if basis.leakage:
        costs = (replace(costs[0], explanation=basis.leakage), costs[1])
    return secret_length_of_terms(
        (*_gains(question, basis), *costs, _penalty(rule)),
        bound=bound,
        form="fixed-length",
        rigorous=rule.rigorous,
        assumptions=(*assumptions, basis.assumption),
        epsilon=rule.ledger,
        evidence=(
            ("single_photons", basis.single_photons),
            ("vacuum", basis.vacuum),
            ("phase_error_rate", basis.phase_error_rate),
        ),
        asymptotic_bits=_asymptotic_bits(counts, public) + costs[0].bits,
        key_bits=tally.key_bits,
        abort=basis.abort,
        unproven=_unproven(rule.rigorous, public, len(tally.intensities)),
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """What was asked, and what the counts prove; `public` says that errors of the key are."""

    tally: DecoyTally
    disclosed: Disclosed
    budget: Epsilon
    rule: _Rule
    found: PublishedEstimate
    public: bool

    @property
    def vacuum(self) -> float:
        return 0.0 if self.public else self.found.vacuum


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """The numbers that the length is made of, by counts or by thresholds, and the words for them."""

    single_photons: float
    vacuum: float
    phase_error_rate: float
    charged: Disclosed
    singles: str
    rate: str
    leakage: str
    assumption: str
    abort: str


def _by_counts(question: _Question) -> _Basis:
    found = question.found
    return _Basis(
        single_photons=found.key,
        vacuum=question.vacuum,
        phase_error_rate=found.phase_error_rate,
        charged=question.disclosed,
        singles=_of_all(question),
        rate=f"-s h({found.phase_error_rate:.5f})",
        leakage="",
        assumption=assume.THRESHOLDS_ARE_THE_COUNTS,
        abort="",
    )


def _by_thresholds(question: _Question, acceptance: DecoyAcceptance) -> _Basis:
    """Take the thresholds, and compare the block with them: what it proves, and what it disclosed."""
    found, rate = question.found, acceptance.phase_error_rate
    disclosed = question.disclosed.with_verification(question.budget)
    return _Basis(
        single_photons=float(acceptance.single_photons),
        vacuum=float(0 if question.public else acceptance.vacuum),
        phase_error_rate=rate,
        charged=replace(disclosed, leakage_bits=max(disclosed.leakage_bits, acceptance.leakage_bits)),
        singles=f"the threshold; the counts prove {found.key:.0f} {_of_all(question)}",
        rate=f"-s h({rate:.5f}), the threshold; the counts prove {found.phase_error_rate:.5f}",
        leakage=f"the threshold; with verification, {disclosed.leakage_bits} of it used",
        assumption=assume.FIXED_BEFORE_DATA,
        abort=_abort(acceptance, question.vacuum, found, disclosed.leakage_bits),
    )


def _of_all(question: _Question) -> str:
    key_bits = question.tally.key_bits
    if key_bits and not question.found.key and question.rule.rigorous:
        return f"of {key_bits} key detections: few, or {what_contradicts(question.tally)}"
    return f"of {key_bits} key detections"


def _gains(question: _Question, basis: _Basis) -> tuple[Term, Term, Term]:
    """Return the lines before what correction and hashing cost."""
    entropy = -basis.single_photons * binary_entropy(basis.phase_error_rate)
    return (
        Term(name="single photons", bits=basis.single_photons, explanation=basis.singles),
        Term(name="phase errors", bits=entropy, explanation=basis.rate),
        Term(name="vacuum", bits=basis.vacuum, explanation=_why_vacuum(question.disclosed.two_way, question.public)),
    )


def _penalty(rule: _Rule) -> Term:
    return Term(name="smoothing and hash", bits=-rule.penalty_bits, explanation=rule.penalty)


def _counts(bound: str, tally: DecoyTally) -> DecoyCounts:
    points = fixed_intensities(tally.intensities, f"bound {bound!r}", error=ConfigurationError)
    return DecoyCounts(
        source=PhotonStatistics(points, tally.probabilities),
        key_counts=tally.key_counts,
        test_counts=tally.test_counts,
        test_errors=tally.test_errors,
        key_errors=tally.key_errors,
    )


def _asymptotic_bits(counts: DecoyCounts, public: bool) -> float:
    """Return what the counts would give without any deviation, before leakage."""
    found = estimate_without_deviations(counts)
    return found.key * (1.0 - binary_entropy(found.phase_error_rate)) + (0.0 if public else found.vacuum)


def _unproven(rigorous: bool, public_pattern: bool, intensities: int) -> tuple[str, ...]:
    steps = (
        (public_pattern, assume.ONE_WAY_THEOREM_TWO_WAYS),
        (intensities > 2, assume.DERIVED_CONSTANT),
    )
    return tuple(step for taken, step in steps if taken) if rigorous else ()


def _why_vacuum(two_way: bool, public: bool) -> str:
    if two_way:
        return "dropped: two-way correction"
    return "dropped: errors of the key are announced" if public else "one-way"


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
    return _RULES[choice("bound", bound, PUBLISHED, error=ConfigurationError)](intensities, budget)


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
