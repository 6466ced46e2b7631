"""What estimation leaves, of which each kind of QKD makes the tally that its bound needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkdpost.bits import Bits
from qkdpost.labels import Labels

__all__ = ["ComparedRounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRounds:
    """What estimation leaves: the key that is still secret, and the test rounds that were compared. All public.

    Args:
        key_bits: how many bits may become key.
        test_difference: where the two sides' test bits differ.
        key_bits_in_key_basis: how many of the key bits, the first, are of the key basis; the others are of the test
            basis.
        test_bits_in_key_basis: how many of the test bits, the first, are of the key basis.
        pulses: how many pulses the block's records cover.
        key_labels: the intensity of each of the key bits, with decoy states.
        test_labels: the same of the test bits.
    """

    key_bits: int
    test_difference: Bits = field(repr=False)
    key_bits_in_key_basis: int
    test_bits_in_key_basis: int
    pulses: int
    key_labels: Labels | None = None
    test_labels: Labels | None = None

    @property
    def test_errors(self) -> int:
        """How many test rounds differ."""
        return self.test_difference.weight()
