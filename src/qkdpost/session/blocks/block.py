"""One block on one side: what its stages share while it is in flight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.errors import LocalProtocolError
from qkdpost.keys import KeyPool, PadReference
from qkdpost.keys.authentication import Transcript
from qkdpost.keys.secret_key import SecretKey
from qkdpost.protocols.compared import ComparedRounds
from qkdpost.protocols.table import PROTOCOLS
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.result import SecretLength, at_fixed_length
from qkdpost.session.blocks.report import BlockReport
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.single_use import SingleUse

__all__ = ["Block"]


@dataclass(slots=True, kw_only=True)
class Block(SingleUse):
    """The working state of a block; every stage reads what the stages before it wrote. Holds secrets."""

    number: int
    role: str
    link: LinkConfig
    first_batch: int
    batches: int
    identifier: bytes
    random_source: Callable[[int], bytes] = field(repr=False)
    pool: KeyPool = field(repr=False)
    pads: PadReference = field(repr=False)
    transcript: Transcript = field(repr=False)
    report: BlockReport = field(repr=False)
    peer_accumulated_epsilon: float = 0.0
    """What the peer says in its greeting, or in its opening; to be believed once a tag over these was right."""
    sifted: SiftedKey | None = field(default=None, repr=False)
    compared: ComparedRounds | None = None
    bits: Bits = field(default_factory=lambda: Bits.zeros(0), repr=False)
    qber_ppm: int = 0
    """Error rate for setting up correction, in parts per million ..."""
    errors_seen: int = 0
    """... and how many errors it rests on."""
    kept: Bits = field(default_factory=lambda: Bits.zeros(0), repr=False)
    """Which of the key bits have not been dropped."""
    frame_charges: NDArray[np.int64] | None = field(default=None, repr=False)
    """What each frame was charged for its correction, where frames of correction are those of verification."""
    key_difference: Bits | None = field(default=None, repr=False)
    """The error pattern, as far as the corrector found it; the reference is only told counts."""
    key_errors: tuple[int, ...] | None = None
    errors_found: int = 0
    """How many errors Cascade found, as both sides see; of what LDPC finds, the reference sees nothing."""
    verification_bits: int | None = None
    peer_bound_bits: int = 0
    seed: Bits = field(default_factory=lambda: Bits.zeros(0), repr=False)
    length_bits: int = 0
    key: SecretKey | None = field(default=None, repr=False)

    @property
    def is_reference(self) -> bool:
        """Whether this side's string is the one that is kept."""
        return self.role == "alice"

    def secret_length(self, *, at_best: bool = False) -> SecretLength:
        """Apply the link's bound to what is known and disclosed so far.

        With `at_best`, before correction, one decoy intensity is given what it lacks: no error in the key.
        """
        if self.compared is None:
            raise LocalProtocolError("the bound comes after estimation")
        settings, security = self.link.protocol, self.link.security
        protocol = PROTOCOLS[settings.kind]
        errors = (0,) * len(settings.intensities) if at_best and settings.intensities else self.key_errors
        tally = protocol.tally(settings, self.compared, errors)
        disclosed = Disclosed(
            leakage_bits=self.ledger.charged_bits,
            verification_bits=self.verification_bits,
            two_way=self.ledger.two_way,
        )
        secret = protocol.secret_length(settings, security, tally, disclosed)
        if security.planned_key_bits:
            secret = at_fixed_length(secret, security.planned_key_bits)
        self.report.secret = secret
        return secret

    def own_bound(self) -> int:
        """Return how many bits this host's bound allows of the corrected bits."""
        return min(self.secret_length().bits, len(self.bits))

    def drop(self, kept: Bits, *, charged: int = 0) -> None:
        """Give up all bits but those under `kept`: they are charged whole, less what they were `charged` before."""
        before = len(self.bits)
        self.bits = self.bits.select(kept)
        self.kept = self.kept.replace(self.kept, kept)
        self.ledger.disclose(Cause.DROPPED_FRAMES, before - len(self.bits) - charged)

    @property
    def ledger(self) -> Ledger:
        """Every bit that the block disclosed; its report shows it."""
        return self.report.ledger
