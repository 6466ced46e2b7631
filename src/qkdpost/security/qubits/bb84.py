"""Secret length of BB84 with one qubit in each pulse.

The source sends single photons (or qubits of any kind) in two conjugate bases; key bits come from the key basis,
and all rounds of the test basis are disclosed. Or a random sample of both bases is disclosed and the rest of
both makes key; see `both_bases`. Sources that also send several photons have their own rooms: `decoy` and
`single_photon`.
"""

from __future__ import annotations

from qkdpost.security import assumptions as assume
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.phase_errors import Concentration
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.bound import length_of_qubits
from qkdpost.security.qubits.settings import QubitBound, QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength

__all__ = ["ASSUMPTIONS", "apply_bound", "secret_length"]

ASSUMPTIONS = (
    assume.PREPARED_QUBITS,
    assume.BASIS_CHOICE,
    assume.ENDS_BY_DETECTIONS,
    assume.BASIS_INDEPENDENT_DETECTION,
    assume.DETECTOR_CONSEQUENCE,
    assume.DETECTORS_READY,
    assume.SQUASHED_RECEIVER,
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
) -> SecretLength:
    """Return how many secret bits a block of BB84 with single photons may keep.

    Args:
        tally: the block's counts; a `SampledTally` if the sample and the key are of both bases. Frames
            that were given up stay in `key_bits` if all of their bits are in `leakage_bits`, as the ledger has it.
        leakage_bits: *all* bits that the ledger charged, tags and outcomes of verification included.
        epsilon: the budget, or a total that `Epsilon.split` divides. Its correctness is what verification achieves.
        bound: "variable-length", the theorem of `qkdpost.security.theorem`; or a fixed-length one, of which
            "tomamichel-leverrier-2017" is Theorem 3 of Quantum 1, 14, "lim-2021" the one for small blocks of
            Phys. Rev. Lett. 126, 100501, and "tlgr-2012" the first of them, for comparison.
        concentration: how the test bits bound the key's phase errors in the variable-length theorem:
            "hypergeometric", exact, or "serfling".
        verification_bits: how many of `leakage_bits` were tags and outcomes of verification. None says that none
            is in there, and the theorem's own term log2(2 / eps_EV) is charged; it must never be charged on top of
            tags that are in the leakage, and a number here, which says that they are, is checked to be at least
            ceil(log2(1 / eps_EV)) + 1.
        tolerated_error_rate: for fixed-length bounds, and only for these: the test error rate up to which the
            block is accepted, set before the data were seen. The tally's sizes and the leakage are then taken to be
            those that were set.
        acceptance: for these bounds, in its place: all thresholds, which the tally and the leakage are compared with.

    Raises:
        InputError: counts or numbers of bits that are negative, no whole numbers, or contradict each other.
        ConfigurationError: an unknown bound or concentration, verification charged too little, thresholds that are
            missing or have no use, or a fixed-length bound for a sample of both bases.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> leakage = qp.security.expected_leakage(1_000_000, 0.01) + 64
    >>> qp.security.bb84.secret_length(tally, leakage_bits=leakage, epsilon=1e-10).bits > 700_000
    True
    """
    return apply_bound(
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
    >>> from qkdpost.security import Disclosed, Epsilon, QubitBoundSettings, bb84
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> disclosed = Disclosed(leakage_bits=90_000, verification_bits=64, two_way=True)
    >>> bb84.apply_bound(tally, disclosed, Epsilon.split(1e-10), QubitBoundSettings()).bits > 700_000
    True
    """
    return length_of_qubits(tally, disclosed, budget, settings, assumptions=ASSUMPTIONS)


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
