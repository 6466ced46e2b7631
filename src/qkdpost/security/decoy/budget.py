"""How the variable-length decoy bound divides the secrecy that the budget allows.

"published" (default): the theorem asks for one probability eps_AT^2 for all that may fail; decoy events and
sampling share it, half each, and secrecy is 2 eps_AT + eps_PA.
"partial-states": the decoy events are classical events, defined on registers (photon numbers and labels) that
exist beside the key. Split the state into a part g in which they all hold and a part b in which one fails, of
weight P_dec. The distance from an ideal key is at most that of g, to which the theorem applies with the sampling
alone (the probability that sampling fails *and* the part is g is at most the tail), plus the weight of b:
secrecy is P_dec + 2 sqrt(P_sampling) + eps_PA. Fixed-length proofs count in this way. The argument is this
library's own, has been seen by no referee, and is therefore an option, not the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from qkdpost.checks import choice
from qkdpost.errors import ConfigurationError
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.theorem import AMPLIFICATION_SHARE, divide_secrecy, ledger_of_theorem

__all__ = ["Accounting", "BudgetDivision", "check_accounting", "divide_budget"]

Accounting = Literal["published", "partial-states"]


def check_accounting(accounting: str) -> None:
    """Check the name of an accounting.

    Raises:
        ConfigurationError: it is unknown.
    """
    choice("accounting", accounting, get_args(Accounting), error=ConfigurationError)


@dataclass(frozen=True, slots=True)
class BudgetDivision:
    """How the budget is spent; fixed by the number of events, before any count is looked at.

    Args:
        decoy_tail: the probability of failure of each decoy event.
        sampling_tail: that of the inversion from test errors to phase errors.
        detector_tail: that of each of the two detector events; 0 with matched detectors.
        amplification: eps_PA.
        ledger: the same, line by line.
    """

    decoy_tail: float
    sampling_tail: float
    detector_tail: float
    amplification: float
    ledger: EpsilonLedger


def divide_budget(budget: Epsilon, accounting: Accounting, events: int, mismatch: bool) -> BudgetDivision:
    """Divide the budget.

    Args:
        budget: how far from ideal the key may be.
        accounting: where decoy events enter epsilon, see the module.
        events: how many decoy events may fail.
        mismatch: whether the two detector events are among what may fail.

    Raises:
        ConfigurationError: an unknown accounting.
    """
    check_accounting(accounting)
    detectors = " (half), or one of two detector events (a quarter each)" if mismatch else ""
    share = _shared if accounting == "published" else _partial_states
    decoy, sampling, amplification, ledger = share(budget, events, detectors)
    if mismatch:
        return BudgetDivision(decoy, sampling / 2.0, sampling / 4.0, amplification, ledger)
    return BudgetDivision(decoy, sampling, 0.0, amplification, ledger)


def _shared(budget: Epsilon, events: int, detectors: str) -> tuple[float, float, float, EpsilonLedger]:
    """Let decoy events and sampling share eps_AT^2; return their tails, eps_PA and the ledger."""
    attempt, amplification = divide_secrecy(budget)
    everything = attempt**2
    decoy, sampling = everything / 2.0 / events, everything / 2.0
    meaning = f"at tail eps_AT^2: one of {events} decoy events at {decoy:.3g} each, or sampling{detectors}"
    ledger = ledger_of_theorem("variable-length theorem, 2 eps_AT + eps_PA", budget, attempt, amplification, meaning)
    return decoy, sampling, amplification, ledger


def _partial_states(budget: Epsilon, events: int, detectors: str) -> tuple[float, float, float, EpsilonLedger]:
    """Let decoy events enter secrecy once each; return the same."""
    amplification = budget.secrecy * AMPLIFICATION_SHARE
    linear = budget.secrecy / 2.0
    attempt = (budget.secrecy - amplification - linear) / 2.0
    decoy, sampling = linear / events, attempt**2
    ledger = EpsilonLedger(
        proof="variable-length theorem on partial states, P_dec + 2 eps_AT + eps_PA",
        budget=budget,
        terms=(
            EpsilonTerm(name="eps_decoy", value=decoy, weight=float(events), meaning="a decoy event"),
            EpsilonTerm(name="eps_AT", value=attempt, weight=2.0, meaning=f"at tail eps_AT^2: sampling{detectors}"),
            EpsilonTerm(name="eps_PA", value=amplification, weight=1.0, meaning="the hash is not quite uniform"),
        ),
    )
    return decoy, sampling, amplification, ledger
