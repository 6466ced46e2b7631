"""The bound for rounds that carry one qubit each: what `bb84` and `bbm92` share.

Both rest on one fact, which `one_basis` states: bases are chosen at random, with the same probabilities in every round,
and detection does not depend on them, so that the compared rounds are a random sample of what a measurement of all
rounds would have shown. Where a sample of both bases is compared and both make key, see `both_bases`. The two kinds
differ in what they take for granted of the source and the receivers, and in nothing else: a tuple of assumptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qkdpost.checks import described, whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import assumptions as assume
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.phase_errors import Concentration
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.both_bases import asymptotic_bits_of_samples, phase_error_bound_of_samples
from qkdpost.security.qubits.one_basis import asymptotic_bits, phase_error_bound
from qkdpost.security.qubits.published import published_length
from qkdpost.security.qubits.settings import QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength, refused
from qkdpost.security.theorem import divide_secrecy, ledger_of_theorem, variable_length

__all__ = ["length_of_qubits"]


def length_of_qubits(
    tally: Tally | SampledTally,
    disclosed: Disclosed,
    budget: Epsilon,
    settings: QubitBoundSettings,
    *,
    assumptions: Sequence[str],
    unproven: Sequence[str] = (),
) -> SecretLength:
    """Apply the bound that the settings name, for a kind that takes `assumptions` for granted.

    Correction is taken to be two-way, whatever `disclosed` says: these bounds cover a public error pattern.

    Args:
        tally: the block's counts.
        disclosed: what the conversation published of the key.
        budget: how far from ideal the key may be.
        settings: which bound, and its thresholds.
        assumptions: what the kind takes for granted.
        unproven: on which steps it rests that no published proof covers, beside those of the bound.

    Raises:
        InputError: the tally is of another kind, or its counts are no whole numbers.
        ConfigurationError: verification charged too little, or a fixed-length bound for a sample of both bases.
    """
    if not isinstance(tally, Tally | SampledTally):
        raise InputError(f"tally must be a Tally or a SampledTally; found {described(tally)}")
    if settings.bound == "variable-length":
        return _variable_length(tally, disclosed, budget, settings.concentration, assumptions, unproven)
    if isinstance(tally, SampledTally):
        raise ConfigurationError(
            f"bound {settings.bound!r} needs key from one basis and the test from the other (test 'basis'); found a "
            "sample of both bases, a SampledTally: use the variable-length bound"
        )
    return _fixed_length(tally, disclosed, budget, settings, assumptions, unproven)


def _variable_length(
    tally: Tally | SampledTally,
    disclosed: Disclosed,
    budget: Epsilon,
    concentration: Concentration,
    assumptions: Sequence[str],
    unproven: Sequence[str],
) -> SecretLength:
    """Apply the variable-length theorem with B_1 = all key bits and B_e from the test bits."""
    attempt, amplification = divide_secrecy(budget)
    if isinstance(tally, SampledTally):
        rate, explanation = phase_error_bound_of_samples(tally, attempt, concentration)
        asymptotic = asymptotic_bits_of_samples(tally)
        assumptions = (*assumptions, assume.SAMPLE_OF_BOTH_BASES)
    else:
        rate, explanation = phase_error_bound(tally, attempt, concentration)
        asymptotic = asymptotic_bits(tally)
    certified = whole_number("key_bits", tally.key_bits)
    return variable_length(
        bound="variable-length",
        certified_bits=certified,
        certified_explanation="sifted key bits, one qubit each",
        phase_error_rate=rate,
        phase_error_explanation=explanation,
        disclosed=disclosed,
        ledger=ledger_of_theorem(
            "variable-length theorem, 2 eps_AT + eps_PA",
            budget,
            attempt,
            amplification,
            f"more phase errors than the {concentration} bound at tail eps_AT^2 allows",
        ),
        amplification_epsilon=amplification,
        asymptotic_bits=asymptotic,
        key_bits=certified,
        assumptions=assumptions,
        unproven=(assume.PUBLIC_PATTERN_ARGUMENT, *unproven),
    )


def _fixed_length(
    tally: Tally,
    disclosed: Disclosed,
    budget: Epsilon,
    settings: QubitBoundSettings,
    assumptions: Sequence[str],
    unproven: Sequence[str],
) -> SecretLength:
    """Apply a published bound at the thresholds, and compare the block with them."""
    acceptance, missed, charged = settings.acceptance, "", disclosed
    if acceptance is not None:
        disclosed = disclosed.with_verification(budget)
        missed = _missed(acceptance, tally, disclosed.leakage_bits)
        charged = replace(disclosed, leakage_bits=max(disclosed.leakage_bits, acceptance.leakage_bits))
    result = published_length(
        settings.bound,
        tally,
        charged,
        budget,
        settings.max_error_rate,
        (*assumptions, assume.FIXED_BEFORE_DATA),
    )
    result = replace(result, unproven=(assume.ONE_WAY_THEOREM_TWO_WAYS, *unproven))
    if acceptance is not None:
        result = _explain_leakage(result, disclosed.leakage_bits)
    return refused(result, missed) if missed else result


def _missed(acceptance: QubitAcceptance, tally: Tally, leakage_bits: int) -> str:
    """Return which threshold of block size or leakage was missed, or nothing; the error rate is the bound's own."""
    for name, found, wanted in (
        ("key bits", tally.key_bits, acceptance.key_bits),
        ("test bits", tally.test_bits, acceptance.test_bits),
    ):
        if found != wanted:
            return f"not accepted: {found} {name}, where exactly {wanted} were set"
    if leakage_bits > acceptance.leakage_bits:
        return f"not accepted: leakage {leakage_bits} is worse than the threshold {acceptance.leakage_bits}"
    return ""


def _explain_leakage(result: SecretLength, used_bits: int) -> SecretLength:
    """Say in the line for correction that it is the threshold, and how much of it the block used."""
    used = f"the threshold; with verification, {used_bits} of it used"
    terms = (replace(term, explanation=used) if term.name == "correction" else term for term in result.terms)
    return replace(result, terms=tuple(terms))
