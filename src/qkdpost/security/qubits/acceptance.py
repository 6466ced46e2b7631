"""The thresholds of the fixed-length bounds for rounds that carry one qubit each."""

from __future__ import annotations

from qkdpost.checks import keep, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.security.thresholds import Acceptance

__all__ = ["QubitAcceptance"]


class QubitAcceptance(Acceptance, frozen=True, kw_only=True):
    """The thresholds of a fixed-length protocol for rounds that carry one qubit each.

    The proofs speak of fixed numbers of key and test rounds, the test rounds a uniformly random subset of both. A block
    closes by its number of detections and never by what its bases turned out to be; then, of the sifted rounds of
    either basis, as many as there are too many are discarded at random, by a seed drawn after sifting and before any
    error is looked at. A block with too few is given up. (To stop at the moment when both bases are full, or to keep
    the first of each up to its number, would not do: the last rounds would then be known to be of the rarer basis.)

    Args:
        key_bits: n, the key bits that go into correction; what is sampled to set up correction comes on top.
        test_bits: k, the rounds of the test basis that are compared.
        tolerated_error_rate: of the test rounds, the largest that is accepted.
        leakage_bits: the most that may be charged, verification and dropped frames included.

    Raises:
        InputError: a count outside 1 ... 2^53 (leakage: 0 ... 2^53), or a rate outside 0 ... 1/2.

    >>> import qkdpost as qp
    >>> qp.security.QubitAcceptance(
    ...     key_bits=900_000, test_bits=90_000, tolerated_error_rate=0.02, leakage_bits=150_000
    ... ).exact_sizes
    (900000, 90000)
    """

    key_bits: int
    test_bits: int
    tolerated_error_rate: float
    leakage_bits: int

    def __post_init__(self) -> None:
        keep(self, "key_bits", whole_number("key_bits", self.key_bits, least=1))
        keep(self, "test_bits", whole_number("test_bits", self.test_bits, least=1))
        keep(self, "leakage_bits", whole_number("leakage_bits", self.leakage_bits, least=0))
        rate = real_number("tolerated_error_rate", self.tolerated_error_rate, least=0.0, most=0.5)
        keep(self, "tolerated_error_rate", rate)
        if self.tolerated_error_rate == 0.5:
            raise InputError("tolerated_error_rate must be below 1/2, where no key is left; found 0.5")

    @property
    def exact_sizes(self) -> tuple[int, int] | None:
        """How many key and test bits a block must have exactly."""
        return self.key_bits, self.test_bits
