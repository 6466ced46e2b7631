"""Published fixed-length bounds for qubit rounds: their length is set by thresholds, before the data are seen.

Here the tally's block sizes and the leakage are taken to be those that were fixed, and only the observed error rate
is compared with the tolerated one. The rest is enforced by `QubitAcceptance`: a session cuts every block to exactly its
sizes and gives it up where correction needed more than the leakage that was set.

tomamichel-leverrier-2017
    Theorem 3 at the best nu for the budget: secrecy = eps_pe + eps_pa. The theorem charges its t tag bits as leakage,
    as the ledger does; the bit for the outcome comes on top.
lim-2021
    At the best xi and nu: secrecy = 2 eps_pe + eps_pa.
tlgr-2012
    Eq. 2 with q = 1: n (1 - h(Q_tol + mu)) - leakage - log2(2 / (eps_sec^2 eps_cor)). In their proof
    2 eps + eps_PA = eps_sec with eps = eps_sec / 4 and eps_PA = eps_sec / 2, which is how the ledger reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from qkdpost.checks import choice, real_number, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.qubits.one_basis import asymptotic_bits
from qkdpost.security.qubits.published_formulas import (
    lim_2021_deviation,
    tlgr_2012_deviation,
    tomamichel_leverrier_deviation,
)
from qkdpost.security.qubits.tally import Tally
from qkdpost.security.result import SecretLength, Term, secret_length_of_terms
from qkdpost.security.theorem import amplification_term, correction_terms
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["PUBLISHED", "PublishedQubitBound", "published_length"]

PublishedQubitBound = Literal["tomamichel-leverrier-2017", "lim-2021", "tlgr-2012"]
PUBLISHED: tuple[PublishedQubitBound, ...] = get_args(PublishedQubitBound)
"""The names of these bounds."""

_SHARES = tuple(2.0**-power for power in range(1, 21))
"""The parts of secrecy that are tried for amplification; the best for the fixed thresholds is taken."""


def published_length(
    bound: str,
    tally: Tally,
    disclosed: Disclosed,
    budget: Epsilon,
    tolerated_error_rate: float,
    assumptions: Sequence[str],
) -> SecretLength:
    """Return the length of a published bound at the best division of the budget.

    Args:
        bound: one of the names in the module's notes.
        tally: the block's counts; its sizes are taken to be those that were set.
        disclosed: what the ledger charged, likewise.
        budget: how far from ideal the key may be.
        tolerated_error_rate: the test error rate up to which the block is accepted, set before the data were seen.
        assumptions: what the kind takes for granted.

    Raises:
        InputError: counts that are no whole numbers, or an error rate outside 0 ... 1/2.
        ConfigurationError: an unknown bound, or verification charged too little.
    """
    divide = _DIVIDE[choice("bound", bound, PUBLISHED, error=ConfigurationError)]
    tolerated = real_number("tolerated_error_rate", tolerated_error_rate, least=0.0, below=0.5)
    plan = _Plan(bound, _counted(tally), disclosed, budget, tolerated, tuple(assumptions))
    if plan.tally.key_bits == 0 or plan.tally.test_bits == 0:
        half = budget.secrecy / 2.0
        return _length(plan, _Division(0.5, half / 2.0, 1.0, half))

    def raw_bits(division: _Division) -> float:
        entropy = plan.tally.key_bits * (1.0 - plan.worst_entropy(division))
        return entropy + amplification_term(division.amplification).bits

    return _length(plan, max((divide(plan, share) for share in _SHARES), key=raw_bits))


@dataclass(frozen=True, slots=True)
class _Division:
    """One way to spend the budget: the deviation it allows, and what it spends where."""

    deviation: float
    estimation: float
    estimation_weight: float
    amplification: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked of a fixed-length bound."""

    bound: str
    tally: Tally
    disclosed: Disclosed
    budget: Epsilon
    tolerated_error_rate: float
    assumptions: tuple[str, ...]

    def worst_rate(self, division: _Division) -> float:
        return min(0.5, self.tolerated_error_rate + division.deviation)

    def worst_entropy(self, division: _Division) -> float:
        return binary_entropy(self.worst_rate(division))


def _tomamichel_leverrier_2017(plan: _Plan, share: float) -> _Division:
    amplification = share * plan.budget.secrecy
    estimation = plan.budget.secrecy - amplification
    sifted_bits = plan.tally.key_bits + plan.tally.test_bits
    deviation = tomamichel_leverrier_deviation(sifted_bits, plan.tally.test_bits, estimation)
    return _Division(deviation, estimation, 1.0, amplification)


def _lim_2021(plan: _Plan, share: float) -> _Division:
    amplification = share * plan.budget.secrecy
    estimation = (plan.budget.secrecy - amplification) / 2.0
    deviation = lim_2021_deviation(plan.tally, plan.tolerated_error_rate, estimation)
    return _Division(deviation, estimation, 2.0, amplification)


def _tlgr_2012(plan: _Plan, share: float) -> _Division:
    """Return the one division that this proof has, whatever the share."""
    secrecy = plan.budget.secrecy
    deviation = tlgr_2012_deviation(plan.tally.key_bits, plan.tally.test_bits, secrecy)
    return _Division(deviation, secrecy / 4.0, 2.0, secrecy / 2.0)


_DIVIDE: dict[str, Callable[[_Plan, float], _Division]] = {
    "tomamichel-leverrier-2017": _tomamichel_leverrier_2017,
    "lim-2021": _lim_2021,
    "tlgr-2012": _tlgr_2012,
}


def _length(plan: _Plan, division: _Division) -> SecretLength:
    terms = _terms(plan, division)
    return secret_length_of_terms(
        terms,
        bound=plan.bound,
        form="fixed-length",
        rigorous=True,
        assumptions=plan.assumptions,
        epsilon=_ledger(plan, division),
        evidence=(("phase_error_rate", plan.worst_rate(division)),),
        asymptotic_bits=asymptotic_bits(plan.tally) + terms[2].bits,
        key_bits=plan.tally.key_bits,
        abort=_abort(plan.tally, plan.tolerated_error_rate),
    )


def _terms(plan: _Plan, division: _Division) -> tuple[Term, ...]:
    """Return the lines of the bound; the third is what correction disclosed."""
    key_bits, tolerated = plan.tally.key_bits, plan.tolerated_error_rate
    return (
        Term(name="key bits", bits=float(key_bits), explanation="block size, one qubit each"),
        Term(
            name="phase errors",
            bits=-key_bits * plan.worst_entropy(division),
            explanation=(
                f"-n h({plan.worst_rate(division):.5f}): tolerated {tolerated:.5f}, deviation {division.deviation:.5f}"
            ),
        ),
        *correction_terms(plan.disclosed, plan.budget),
        amplification_term(division.amplification),
    )


def _ledger(plan: _Plan, division: _Division) -> EpsilonLedger:
    return EpsilonLedger(
        proof=plan.bound,
        budget=plan.budget,
        terms=(
            EpsilonTerm(
                name="eps_pe",
                value=division.estimation,
                weight=division.estimation_weight,
                meaning="the key differs in more than the tolerated rate and its deviation",
            ),
            EpsilonTerm(
                name="eps_pa", value=division.amplification, weight=1.0, meaning="the hash is not quite uniform"
            ),
        ),
    )


def _abort(tally: Tally, tolerated: float) -> str:
    if tally.test_bits == 0:
        return "nothing was tested"
    if Fraction(tally.test_errors, tally.test_bits) > Fraction(tolerated):
        observed = tally.test_errors / tally.test_bits
        return f"not accepted: the observed error rate {observed:.8g} exceeds the tolerated {tolerated:.8g}"
    return ""


def _counted(tally: Tally) -> Tally:
    """Return the tally with plain integers."""
    return Tally(
        key_bits=whole_number("key_bits", tally.key_bits),
        test_bits=whole_number("test_bits", tally.test_bits),
        test_errors=whole_number("test_errors", tally.test_errors),
    )
