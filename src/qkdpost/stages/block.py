"""One block on one side: who works on it, by which settings, and what its stages may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from qkdpost.blocks import Blocks
from qkdpost.dialogue.ledger import Ledger
from qkdpost.health import RecordLimits
from qkdpost.keys import KeyPool, PadReference
from qkdpost.keys.authentication import Transcript
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.security.result import SecretLength
from qkdpost.security.settings import Security
from qkdpost.single_use import SingleUse
from qkdpost.stages.settings import ProtocolSettings

__all__ = ["Block", "BoundOfBlock", "Duty"]


class Duty(Enum):
    """Whose string is kept."""

    REFERENCE = "reference"
    """This host's string is kept: it says what is compared, tags first, and proposes a length."""
    CORRECTOR = "corrector"
    """This host proposes how to correct, and corrects its string until it is the reference's."""

    @property
    def other(self) -> Duty:
        """The duty of the peer."""
        return Duty.CORRECTOR if self is Duty.REFERENCE else Duty.REFERENCE


BoundOfBlock: TypeAlias = Callable[[Any, tuple[int, ...] | None, Ledger, int | None], SecretLength]
"""From compared rounds (or what else the kind's stages hand on for its tally), the errors of the key for each label
where they are public, the ledger and the bits of verification (None: before it) to the length of the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(SingleUse):
    """What stays the same while a block is in flight; what changes is the outcome that stages hand on.

    Args:
        number: of the block.
        duty: whether this side's string is the one that is kept.
        record_numbers: the records that it covers.
        identifier: the public name of the block and of its key.
        settings: of the kind of QKD.
        test_probability: with which this side chooses the test basis, where the settings say so; else 0.
        correction: how errors are corrected.
        security: epsilon and bound.
        blocks: sizes of blocks and frames.
        record_limits: what a host tolerates in its own records.
        needs_one_way: whether the bound holds for one-way correction alone.
        bound: the link's bound.
        random_source: returns as many random bytes as it is asked for.
        pool: of authentication key; secret.
        pads: those reserved for the block.
        transcript: of all that was said of the block; secret.
        peer_accumulated_epsilon: what the peer says in its greeting or opening; to be believed once a tag over these
            was right.
        ledger: every bit that the block disclosed.
    """

    number: int
    duty: Duty
    record_numbers: range
    identifier: bytes
    settings: ProtocolSettings
    test_probability: float
    correction: CorrectionSettings
    security: Security
    blocks: Blocks
    record_limits: RecordLimits
    needs_one_way: bool
    bound: BoundOfBlock = field(repr=False)
    random_source: Callable[[int], bytes] = field(repr=False)
    pool: KeyPool = field(repr=False)
    pads: PadReference = field(repr=False)
    transcript: Transcript = field(repr=False)
    peer_accumulated_epsilon: float
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def labels(self) -> int:
        """How many labels, as intensities, a round may have; 0 for kinds without."""
        return len(self.settings.intensities)

    @property
    def is_reference(self) -> bool:
        """Whether this side's string is the one that is kept."""
        return self.duty is Duty.REFERENCE

    def secret_length(
        self, rounds: Any, key_errors: tuple[int, ...] | None, verification_bits: int | None = None
    ) -> SecretLength:
        """Apply the link's bound to what is known, and to what the ledger has charged so far."""
        return self.bound(rounds, key_errors, self.ledger, verification_bits)
