"""Secret length of BBM92: entangled pairs, measured on both sides.

A source of pairs, anywhere and in anybody's hands, serves two receivers that each choose a basis at random. That
the source is not trusted costs nothing, if what is asked of the receivers holds on *both* sides now: the bound of
`qubits.bound` rests on the random choice between two conjugate measurements and on detection that does not depend on
it, and never asks what was sent. But it asks when. A source that knows one side's bases before the other side has
measured sends that side what it has read in them, and has the whole key without an error; so neither side's bases may
be known while the other is still measuring. Sessions see to it; whoever calls this with counts of his own must.
"""

from __future__ import annotations

from qkdpost.checks import flag
from qkdpost.security import assumptions as assume
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.phase_errors import Concentration
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.bound import length_of_qubits
from qkdpost.security.qubits.settings import QubitBound, QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength

__all__ = ["ASSUMPTIONS", "apply_bound", "apply_bound_to_time_tags", "secret_length"]

ASSUMPTIONS = (
    assume.UNTRUSTED_SOURCE,
    assume.CONJUGATE_MEASUREMENTS,
    assume.BASIS_CHOICE,
    assume.BASES_SECRET_WHILE_MEASURING,
    assume.ENDS_BY_DETECTIONS,
    assume.BASIS_INDEPENDENT_DETECTION,
    assume.DETECTOR_CONSEQUENCE,
    assume.DETECTORS_READY,
    assume.SQUASHED_RECEIVERS,
    assume.CLICKS_IN_BOTH_BASES,
    assume.ERROR_PATTERN_PUBLIC,
    assume.TRUSTED_LABORATORIES,
    assume.AUTHENTICATED,
)


def secret_length(
    tally: Tally | SampledTally,
    *,
    leakage_bits: int,
    epsilon: Epsilon | float,
    bound: QubitBound = "variable-length",
    concentration: Concentration = "hypergeometric",
    verification_bits: int | None = None,
    tolerated_error_rate: float | None = None,
    acceptance: QubitAcceptance | None = None,
    time_tags: bool = False,
) -> SecretLength:
    """Return how many secret bits a block of BBM92 may keep.

    Args:
        tally: the block's counts, coincidences of equal bases; a `SampledTally` if the sample and the key are of
            both bases.
        leakage_bits: *all* bits that the ledger charged, tags and outcomes of verification included.
        epsilon: the budget, or a total that `Epsilon.split` divides.
        bound: as in `bb84.secret_length`.
        concentration: as in `bb84.secret_length`.
        verification_bits: as in `bb84.secret_length`.
        tolerated_error_rate: as in `bb84.secret_length`.
        acceptance: as in `bb84.secret_length`.
        time_tags: whether rounds were found from the times of clicks, which rests on more assumptions.

    Raises:
        InputError: counts or numbers of bits that are negative, no whole numbers, or contradict each other.
        ConfigurationError: an unknown bound or concentration, verification charged too little, thresholds that are
            missing or have no use, or a fixed-length bound for a sample of both bases.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> leakage = qp.security.expected_leakage(1_000_000, 0.01) + 64
    >>> qp.security.bbm92.secret_length(tally, leakage_bits=leakage, epsilon=1e-10).bits > 700_000
    True
    """
    apply = apply_bound_to_time_tags if flag("time_tags", time_tags) else apply_bound
    return apply(
        tally,
        Disclosed(leakage_bits=leakage_bits, verification_bits=verification_bits, two_way=True),
        Epsilon.coerce(epsilon),
        QubitBoundSettings(
            bound=bound,
            concentration=concentration,
            acceptance=acceptance,
            tolerated_error_rate=tolerated_error_rate,
        ),
    )


def apply_bound(
    tally: Tally | SampledTally, disclosed: Disclosed, budget: Epsilon, settings: QubitBoundSettings
) -> SecretLength:
    """Apply the bound as a session does: the `Bound` that `secret_length` is the front of, and raises the same.

    >>> import qkdpost as qp
    >>> from qkdpost.security import Disclosed, Epsilon, QubitBoundSettings, bbm92
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> disclosed = Disclosed(leakage_bits=90_000, verification_bits=64, two_way=True)
    >>> bbm92.apply_bound(tally, disclosed, Epsilon.split(1e-10), QubitBoundSettings()).bits > 700_000
    True
    """
    return length_of_qubits(tally, disclosed, budget, settings, assumptions=ASSUMPTIONS)


def apply_bound_to_time_tags(
    tally: Tally | SampledTally, disclosed: Disclosed, budget: Epsilon, settings: QubitBoundSettings
) -> SecretLength:
    """Apply the bound to rounds that were found from the times of clicks, which rests on more assumptions.

    >>> import qkdpost as qp
    >>> from qkdpost.security import Disclosed, Epsilon, QubitBoundSettings, bbm92
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> disclosed = Disclosed(leakage_bits=90_000, verification_bits=64, two_way=True)
    >>> slots = bbm92.apply_bound(tally, disclosed, Epsilon.split(1e-10), QubitBoundSettings())
    >>> tags = bbm92.apply_bound_to_time_tags(tally, disclosed, Epsilon.split(1e-10), QubitBoundSettings())
    >>> len(tags.assumptions) > len(slots.assumptions)
    True
    """
    return length_of_qubits(
        tally,
        disclosed,
        budget,
        settings,
        assumptions=(*ASSUMPTIONS, assume.ANNOUNCED_TIMES),
        unproven=(assume.CLICKS_IN_BOTH_BASES,),
    )


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
