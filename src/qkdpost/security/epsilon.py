"""How far from ideal a key may be, in parts, and what a proof spends each part on.

A user states a budget: `Epsilon`. A proof divides the secrecy part of it over its own events, each with the weight
that this proof gives it: `EpsilonLedger`. No two proofs share constants: a smoothing parameter enters one twice, a
classical counting event enters another once and a third under a root. The ledger says so line by line and is
checked against the budget by whoever fills it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qkdpost.checks import real_number
from qkdpost.errors import ConfigurationError

__all__ = ["MIN_EPSILON", "Epsilon", "EpsilonLedger", "EpsilonTerm"]

MIN_EPSILON = 1e-60
"""Smaller parts are refused: proofs use their squares, which must stay far from underflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epsilon:
    """A budget: the distance from an ideal key, composed of three failures that add up.

    Args:
        secrecy: trace distance of the key from one that is uniform and independent of the eavesdropper, joint with
            the event that the block is accepted.
        correctness: the probability that the block is accepted with different keys.
        authentication: the probability that a forged message is accepted in the block. The bounds of this room do
            not use it; it is part of what a key is composed of.

    Raises:
        ConfigurationError: a part lies outside `MIN_EPSILON` ... 1, or they add up to 1 or more.

    >>> import qkdpost as qp
    >>> budget = qp.security.Epsilon.split(1e-10)
    >>> budget.total <= 1e-10, budget.verification_tag_bits
    (True, 38)
    """

    secrecy: float
    correctness: float
    authentication: float

    def __post_init__(self) -> None:
        for name in ("secrecy", "correctness", "authentication"):
            value = _part(f"epsilon: {name}", getattr(self, name), MIN_EPSILON)
            object.__setattr__(self, name, value)
        if self.total >= 1.0:
            raise ConfigurationError(f"epsilon: the parts add up to {self.total}, which says nothing about a key")

    @classmethod
    def split(cls, total: float) -> Epsilon:
        """Divide a total: 14/16 secrecy, 1/16 correctness, 1/16 authentication; never more than `total` in sum.

        A verification or authentication tag pays one bit for each halving of its part and secrecy pays far more,
        so secrecy gets nearly all; four bits of tag are what the two sixteenths cost.

        Raises:
            ConfigurationError: the total is out of range.
        """
        return _divided(_part("epsilon (a total)", total, 16 * MIN_EPSILON))

    @classmethod
    def coerce(cls, epsilon: Epsilon | float) -> Epsilon:
        """Return `epsilon` itself, or the `split` of a total given as a number."""
        return epsilon if isinstance(epsilon, Epsilon) else cls.split(epsilon)

    @property
    def total(self) -> float:
        """What the key is away from an ideal one at most."""
        return math.fsum((self.secrecy, self.correctness, self.authentication))

    @property
    def verification_tag_bits(self) -> int:
        """The least t with 2^-t <= correctness: the length of a universal hash that collides no more often."""
        bits = max(1, math.ceil(-math.log2(self.correctness)))
        return bits if math.ldexp(1.0, -bits) <= self.correctness else bits + 1

    @property
    def verification_charge_bits(self) -> int:
        """What verification must be charged at least: the tag, and one bit for its public outcome."""
        return self.verification_tag_bits + 1


@lru_cache(maxsize=16)
def _divided(total: float) -> Epsilon:
    """Do the work of `Epsilon.split`, of which every block of a link asks the same several times."""
    sixteenth = total / 16.0
    secrecy = 14.0 * sixteenth
    # fsum rounds the exact sum once, so that its sign is that of the exact sum.
    while math.fsum((secrecy, sixteenth, sixteenth, -total)) > 0.0:
        secrecy = math.nextafter(secrecy, 0.0)
    return Epsilon(secrecy=secrecy, correctness=sixteenth, authentication=sixteenth)


def _part(name: str, value: float, least: float) -> float:
    return real_number(name, value, least=least, below=1.0, error=ConfigurationError)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonTerm:
    """One event of a proof: what may fail, with which parameter, and with which weight it enters secrecy.

    Args:
        name: the proof's name for the parameter.
        value: the parameter.
        weight: how many times it enters the sum.
        meaning: the event, in words.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> ledger = qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10).epsilon
    >>> [term.name for term in ledger.terms]
    ['eps_AT', 'eps_PA']
    """

    name: str
    value: float
    weight: float
    meaning: str

    @property
    def contribution(self) -> float:
        """What this event adds to secrecy."""
        return self.weight * self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class EpsilonLedger:
    """Where one proof spends the budget.

    Args:
        proof: whose rule it is.
        budget: what the user allowed.
        terms: the events; their contributions add up to the secrecy that is claimed.

    Raises:
        ConfigurationError: the events need more than the budget's secrecy.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> ledger = qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10).epsilon
    >>> ledger.proof, len(ledger.terms)
    ('variable-length theorem, 2 eps_AT + eps_PA', 2)
    """

    proof: str
    budget: Epsilon
    terms: tuple[EpsilonTerm, ...]

    def __post_init__(self) -> None:
        if not self.secrecy <= self.budget.secrecy * (1.0 + 1e-12):
            raise ConfigurationError(
                f"epsilon: {self.proof} needs {self.secrecy} for secrecy; the budget has {self.budget.secrecy}"
            )

    @property
    def secrecy(self) -> float:
        """The secrecy that is claimed."""
        return math.fsum(term.contribution for term in self.terms)

    @property
    def correctness(self) -> float:
        """The correctness that is claimed."""
        return self.budget.correctness

    def to_dict(self) -> dict[str, Any]:
        """Return the ledger as plain values."""
        return {
            "proof": self.proof,
            "secrecy": self.secrecy,
            "correctness": self.correctness,
            "terms": [
                {"name": term.name, "value": term.value, "weight": term.weight, "meaning": term.meaning}
                for term in self.terms
            ],
        }
