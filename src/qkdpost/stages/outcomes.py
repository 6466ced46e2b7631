"""What stages hand on: frozen, secret where they hold bits, and moved from stage to stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.labels import Labels
from qkdpost.security.result import SecretLength
from qkdpost.single_use import SingleUse

__all__ = ["AgreedLength", "ComparedKey", "ComparedRounds", "CorrectedKey", "VerifiedKey", "give_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRounds:
    """The key that is still secret, by its numbers, and the test rounds that were compared. All public.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedKey(SingleUse):
    """The outcome of estimation.

    Args:
        key: this side's bits that may become key. Secret.
        rounds: what the bound needs of the compared rounds.
        qber_ppm: the error rate for setting up correction, in parts per million.
        errors_seen: how many errors that rate rests on.
    """

    key: Bits = field(repr=False)
    rounds: ComparedRounds
    qber_ppm: int
    errors_seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedKey(SingleUse):
    """The outcome of reconciliation.

    Args:
        key: this side's bits after correction, without those given up. Secret.
        rounds: what the kind's tally is made of: the compared rounds, as estimation left them.
        kept: which of the bits before correction have not been given up.
        frame_charges: what each frame was charged for its correction, where frames of correction are those of
            verification; else None.
        difference: the error pattern, as far as the corrector found it; None on the reference's side, which only
            learns counts. Secret as long as correction is one-way.
        errors_found: how many errors both sides saw found; of what LDPC finds, the reference sees nothing.
    """

    key: Bits = field(repr=False)
    rounds: Any
    kept: Bits = field(repr=False)
    frame_charges: NDArray[np.int64] | None = field(repr=False)
    difference: Bits | None = field(repr=False)
    errors_found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedKey(SingleUse):
    """The outcome of verification.

    Args:
        key: the bits that are equal on both hosts, up to the correctness epsilon. Secret.
        secret: this host's bound on what is known and charged by now.
        peer_bound_bits: how many bits the corrector's bound allows; 0 on its own side, which proposes nothing.
    """

    key: Bits = field(repr=False)
    secret: SecretLength
    peer_bound_bits: int

    @property
    def own_bound_bits(self) -> int:
        """How many bits this host's bound allows of the verified ones."""
        return min(self.secret.bits, len(self.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedLength(SingleUse):
    """The outcome of the agreement on a length.

    Args:
        key: the bits that will be hashed. Secret.
        seed: of the Toeplitz matrix; public.
        length_bits: how many bits the hash has.
    """

    key: Bits = field(repr=False)
    seed: Bits = field(repr=False)
    length_bits: int


def give_up(ledger: Ledger, key: Bits, keep: Bits, *, charged: int) -> Bits:
    """Return the key's bits under `keep`; the others are charged whole, less what they were `charged` before."""
    left = key.select(keep)
    ledger.disclose(Cause.DROPPED_FRAMES, len(key) - len(left) - charged)
    return left
