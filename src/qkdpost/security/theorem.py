r"""The variable-length theorem: a length that may be chosen after seeing the data.

Theorem (Tupkary, Tan and Luetkenhaus, Phys. Rev. Research 6, 023002, in the phase-error form of Tupkary et al.,
Quantum 9, 1937 (2025)). Let B_1 and B_e be functions of what is announced, such that for every attack and every
announced number of rounds

    P[phase-error rate of the single-photon key rounds > B_e  or  their number < B_1] <= eps_AT^2.

Then a key of

    l = max(0, floor(B_1 (1 - h(B_e)) - leakage - 2 log2(1 / (2 eps_PA)) - log2(2 / eps_EV)))

bits is (2 eps_AT + eps_PA)-secret and eps_EV-correct.

Why it holds, in short. The min-entropy of the key rounds, smoothed by eps_AT, is at least B_1 (1 - h(B_e)) by the
entropic uncertainty relation for smooth entropies: a probability eps_AT^2 of the complement of the condition costs
a purified distance of eps_AT, which enters the trace distance twice. Leakage of m bits lowers a min-entropy by at
most m, and two-universal hashing (the leftover hash lemma) adds eps_PA at a price of 2 log2(1 / (2 eps_PA)) bits.
That the length may depend on the data is the content of the theorem: if length i is chosen with probability p_i
and the condition then fails with probability d_i, the distances add up to sum_i p_i 2 sqrt(d_i), which is at most
2 sqrt(sum_i p_i d_i) <= 2 eps_AT because the root is concave, and the hashing errors average to eps_PA. No
acceptance threshold is needed, and "no key" is simply the length zero.

Verification. In the theorem's own form, log2(2 / eps_EV) pays for a tag of log2(1 / eps_EV) bits and for one bit of
its public outcome (arXiv 2507.21416: one bit always suffices). Where the ledger has already charged both, the term
must not be charged again: the caller then says how many bits of the leakage verification was, and it is checked
that they are at least ceil(log2(1 / eps_EV)) + 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qkdpost.checks import whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.result import Evidence, SecretLength, Term, secret_length_of_terms
from qkdpost.statistics.entropy import binary_entropy

__all__ = [
    "AMPLIFICATION_SHARE",
    "amplification_term",
    "correction_terms",
    "divide_secrecy",
    "ledger_of_theorem",
    "variable_length",
]

AMPLIFICATION_SHARE = 1.0 / 32.0
"""The part of secrecy that eps_PA gets; the rest is 2 eps_AT. Fixed before any data.

Dividing eps_PA by e costs 2.9 bits whatever the block; dividing eps_AT by e costs the whole statistical deviation
divided by 2 ln(1 / eps_AT), tens of bits at a thousand rounds and hundreds at a million. The optimum lies between a
tenth and a thousandth and is flat: the share taken here is within twelve bits of it from 10^3 to 10^9 rounds.
"""


def divide_secrecy(budget: Epsilon) -> tuple[float, float]:
    """Return (eps_AT, eps_PA) with 2 eps_AT + eps_PA equal to the budget's secrecy."""
    amplification = budget.secrecy * AMPLIFICATION_SHARE
    return (budget.secrecy - amplification) / 2.0, amplification


def variable_length(
    *,
    bound: str,
    certified_bits: int,
    certified_explanation: str,
    phase_error_rate: float,
    phase_error_explanation: str,
    disclosed: Disclosed,
    ledger: EpsilonLedger,
    amplification_epsilon: float,
    asymptotic_bits: float,
    key_bits: int,
    assumptions: Sequence[str],
    evidence: Evidence = (),
    entropy_bits: int | None = None,
    unproven: Sequence[str] = (),
) -> SecretLength:
    """Apply the theorem of this module.

    Args:
        bound: the name for the result.
        certified_bits: B_1.
        certified_explanation: where B_1 comes from.
        phase_error_rate: B_e; anything from 1/2 on leaves no key.
        phase_error_explanation: where B_e comes from.
        disclosed: what the ledger charged, and how much of it verification was.
        ledger: where the budget went; its proof must be this theorem's.
        amplification_epsilon: eps_PA.
        asymptotic_bits: the point estimate to compare with, before leakage.
        key_bits: how many bits the key is made of, whatever is certified of them.
        assumptions: what the caller's B_1 and B_e take for granted.
        evidence: what B_1 and B_e were made of, to be named beside them.
        entropy_bits: what is kept of B_1 (1 - h(B_e)), if less than all of it.
        unproven: on which steps B_1 and B_e rest that no published proof covers.

    Raises:
        InputError: a number of rounds or bits is negative or no whole number.
        ConfigurationError: verification was charged less than its share of epsilon needs.
    """
    certified_bits = whole_number("certified_bits", certified_bits)
    hidden = certified_bits * binary_entropy(min(0.5, phase_error_rate))
    if entropy_bits is not None:
        hidden = max(hidden, float(certified_bits - entropy_bits))
    costs = correction_terms(disclosed, ledger.budget)
    terms = (
        Term(name="certified rounds", bits=float(certified_bits), explanation=certified_explanation),
        Term(name="phase errors", bits=-hidden, explanation=phase_error_explanation),
        *costs,
        amplification_term(amplification_epsilon),
    )
    return secret_length_of_terms(
        terms,
        bound=bound,
        form="variable-length",
        rigorous=True,
        assumptions=assumptions,
        epsilon=ledger,
        evidence=(("certified_rounds", certified_bits), ("phase_error_rate", phase_error_rate), *evidence),
        asymptotic_bits=asymptotic_bits + costs[0].bits,
        key_bits=whole_number("key_bits", key_bits),
        unproven=unproven,
    )


def correction_terms(disclosed: Disclosed, budget: Epsilon) -> tuple[Term, Term]:
    """Return the lines for correction and for verification, charging neither twice.

    Raises:
        ConfigurationError: verification was charged less than its share of epsilon needs.
    """
    verification = disclosed.verification_bits
    if verification is None:
        charge = math.log2(2.0 / budget.correctness)
        explanation = f"log2(2 / eps_EV), eps_EV = {budget.correctness:.3g}"
        return (
            Term(name="correction", bits=-float(disclosed.leakage_bits), explanation="bits disclosed"),
            Term(name="verification", bits=-charge, explanation=explanation),
        )
    if verification < budget.verification_charge_bits:
        raise ConfigurationError(
            f"verification must be charged at least {budget.verification_charge_bits} bits (a tag for correctness "
            f"{budget.correctness:.3g} and its outcome); found {verification}"
        )
    return (
        Term(name="correction", bits=-float(disclosed.leakage_bits - verification), explanation="bits disclosed"),
        Term(name="verification", bits=-float(verification), explanation="tags and outcomes, as disclosed"),
    )


def amplification_term(epsilon: float) -> Term:
    """Return the line of the leftover hash lemma, -2 log2(1 / (2 eps_PA))."""
    bits = 2.0 * math.log2(2.0 * epsilon)
    return Term(name="amplification", bits=bits, explanation=f"-2 log2(1 / (2 eps_PA)), eps_PA = {epsilon:.3g}")


def ledger_of_theorem(proof: str, budget: Epsilon, attempt: float, amplification: float, meaning: str) -> EpsilonLedger:
    """Return the ledger of this theorem: 2 eps_AT + eps_PA."""
    return EpsilonLedger(
        proof=proof,
        budget=budget,
        terms=(
            EpsilonTerm(name="eps_AT", value=attempt, weight=2.0, meaning=meaning),
            EpsilonTerm(name="eps_PA", value=amplification, weight=1.0, meaning="the hash is not quite uniform"),
        ),
    )
