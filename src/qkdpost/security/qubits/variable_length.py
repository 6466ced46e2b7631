"""Bounds for rounds that carry one qubit each: what `bb84` and `bbm92` share.

All rest on one fact. Bases are chosen at random, with the same probabilities in every round, and detection does not
depend on them, so the rounds of the test basis are a uniformly random subset of all sifted rounds: given how many
there are, each subset of that size is as probable as any other. (Were the probabilities different in two halves of a
block, an eavesdropper could spare the half that is tested more. Nor may a block's end depend on bases, for the last
round would then be known to be of a certain one.) The error pattern that a measurement of *all* of them in the test
basis would have shown is fixed before that subset is known. The unseen part of this pattern is the phase errors of
the key. Where a sample of both bases is compared and both make key, see `sampled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qkdpost.checks import choice, described, instance, whole_number, whole_numbers
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.link_parts import QubitAcceptance
from qkdpost.records import Tally
from qkdpost.security import assumptions as assume
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.both_bases import asymptotic_bits_of_samples, phase_error_bound_of_samples
from qkdpost.security.qubits.phase_errors import Concentration, most_phase_errors
from qkdpost.security.qubits.published import asymptotic_bits, lim_2021, tlgr_2012, tomamichel_leverrier_2017
from qkdpost.security.result import SecretLength, refused
from qkdpost.security.theorem import divide_secrecy, ledger_of_theorem, variable_length
from qkdpost.tallies import SampledTally

__all__ = ["length_of_qubits", "phase_error_bound", "variable_length_of_qubits"]

_FIXED_LENGTH = {
    "tomamichel-leverrier-2017": tomamichel_leverrier_2017,
    "lim-2021": lim_2021,
    "tlgr-2012": tlgr_2012,
}


def variable_length_of_qubits(
    tally: Tally | SampledTally,
    *,
    leakage_bits: int,
    verification_bits: int | None,
    epsilon: Epsilon,
    concentration: Concentration,
    assumptions: Sequence[str],
    unproven: Sequence[str] = (),
) -> SecretLength:
    """Apply the variable-length theorem with B_1 = all key bits and B_e from the test bits.

    With a `SampledTally`, the key bits are those of both bases, and B_e is that of `sampled`.

    Raises:
        InputError: impossible numbers of bits.
        ConfigurationError: an unknown concentration, or verification charged too little.
    """
    attempt, amplification = divide_secrecy(epsilon)
    if isinstance(tally, SampledTally):
        rate, explanation = phase_error_bound_of_samples(tally, attempt, concentration)
        certified = sum(whole_numbers("key_bits", tally.key_bits, count=2))
        asymptotic = asymptotic_bits_of_samples(tally)
        assumptions = (*assumptions, assume.SAMPLE_OF_BOTH_BASES)
    else:
        rate, explanation = phase_error_bound(tally, attempt, concentration)
        certified, asymptotic = whole_number("key_bits", tally.key_bits), asymptotic_bits(tally)
    return variable_length(
        bound="variable-length",
        certified_bits=certified,
        certified_explanation="sifted key bits, one qubit each",
        phase_error_rate=rate,
        phase_error_explanation=explanation,
        leakage_bits=leakage_bits,
        verification_bits=verification_bits,
        ledger=ledger_of_theorem(
            "variable-length theorem, 2 eps_AT + eps_PA",
            epsilon,
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


def length_of_qubits(
    tally: Tally | SampledTally,
    *,
    leakage_bits: int,
    epsilon: Epsilon,
    bound: str,
    concentration: Concentration,
    verification_bits: int | None,
    tolerated_error_rate: float | None,
    acceptance: QubitAcceptance | None,
    assumptions: Sequence[str],
    unproven: Sequence[str] = (),
) -> SecretLength:
    """Apply the bound of that name; see `bb84.secret_length`.

    Raises:
        InputError: impossible numbers of bits.
        ConfigurationError: an unknown bound or concentration, verification charged too little, thresholds that are
            missing or have no use, or a fixed-length bound for a sample of both bases.
    """
    if not isinstance(tally, Tally | SampledTally):
        raise InputError(f"tally must be a Tally or a SampledTally; found {described(tally)}")
    leakage_bits = whole_number("leakage_bits", leakage_bits)
    bound = choice("bound", bound, ("variable-length", *_FIXED_LENGTH), error=ConfigurationError)
    if bound == "variable-length":
        if tolerated_error_rate is not None or acceptance is not None:
            raise ConfigurationError(
                "a variable-length bound has no tolerated error rate and no acceptance thresholds; leave it out"
            )
        return variable_length_of_qubits(
            tally,
            leakage_bits=leakage_bits,
            verification_bits=verification_bits,
            epsilon=epsilon,
            concentration=concentration,
            assumptions=assumptions,
            unproven=unproven,
        )
    if isinstance(tally, SampledTally):
        raise ConfigurationError(f"{bound} is for key of one basis and test of the other, not a sample of both bases")
    reason, used = "", ""
    if acceptance is not None:
        acceptance = instance("acceptance", acceptance, QubitAcceptance, error=ConfigurationError)
    if acceptance is not None and tolerated_error_rate is None:
        if verification_bits is None:  # the threshold covers verification, so what will come of it counts now
            verification_bits = epsilon.verification_charge_bits
            leakage_bits += verification_bits
        reason = _missed(acceptance, tally, leakage_bits)
        used = f"the threshold; with verification, {leakage_bits} of it used"
        leakage_bits = max(leakage_bits, acceptance.leakage_bits)
        tolerated_error_rate = acceptance.tolerated_error_rate
    elif acceptance is not None or tolerated_error_rate is None:
        raise ConfigurationError(
            f"{bound} is fixed-length: give the acceptance thresholds, or the tolerated_error_rate, that were set "
            "beforehand"
        )
    result = _FIXED_LENGTH[bound](
        tally,
        leakage_bits=leakage_bits,
        verification_bits=verification_bits,
        epsilon=epsilon,
        tolerated_error_rate=tolerated_error_rate,
        assumptions=(*assumptions, assume.FIXED_BEFORE_DATA),
    )
    result = replace(result, unproven=(assume.ONE_WAY_THEOREM_TWO_WAYS, *unproven))
    if used:
        terms = (replace(term, explanation=used) if term.name == "correction" else term for term in result.terms)
        result = replace(result, terms=tuple(terms))
    return refused(result, reason) if reason else result


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


def phase_error_bound(tally: Tally, smoothing: float, concentration: Concentration) -> tuple[float, str]:
    """Bound the phase-error rate of the key bits at tail smoothing^2, and say how.

    Exact inversion may replace Serfling's inequality wherever that stood: the theorem asks for *a* function B_e of
    announced data that is exceeded with probability at most eps_AT^2, and nothing else. Conditioned on the numbers
    of key and test bits, which are announced, the test bits are a uniformly random subset, so that the probability
    is hypergeometric for each error pattern, and hence for every mixture of patterns that an attack may produce.

    Errors are whole numbers. One more key bit at the same test may bring the next possible error with it, so that a
    length grows with the number of key bits only up to the few bits that one error costs.

    Returns:
        The rate, 0 ... 1/2, and the explanation for the result.

    Raises:
        ConfigurationError: an unknown concentration.
    """
    key, test = whole_number("key_bits", tally.key_bits), whole_number("test_bits", tally.test_bits)
    errors = whole_number("test_errors", tally.test_errors)
    seen = f"{errors} errors in {test} test bits"
    worst = most_phase_errors(key, test, errors, smoothing**2, concentration)
    if key == 0 or test == 0:
        return 0.5, f"-n h(1/2): {seen} bound nothing"
    rate = min(0.5, worst / key)
    return rate, f"-n h({rate:.5f}): {seen}, at most {worst:.0f} in the key ({concentration})"
