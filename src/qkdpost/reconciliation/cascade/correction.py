"""A block corrected by Cascade, and what it is charged."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.cascade.conversation import CascadeOutcome, run_cascade
from qkdpost.reconciliation.cascade.parameters import CascadeParameters
from qkdpost.reconciliation.correction import Corrected, Side, charges_of, lengths_of_frames
from qkdpost.reconciliation.payload import Rounds

__all__ = ["CascadePlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadePlan:
    """Correction by Cascade, a `CorrectionPlan`.

    Args:
        parameters: block sizes of the passes, and the length of a frame.
    """

    parameters: CascadeParameters

    @property
    def method(self) -> str:
        """The name of the method."""
        return "cascade"

    @property
    def number(self) -> int:
        """How the plan is named to the peer."""
        return 0

    @property
    def publishes_errors(self) -> bool:
        """Both sides disclose parities, and with them the error pattern."""
        return True

    def correct(self, bits: Bits, side: Side) -> Rounds[Corrected]:
        """Run one side over a block; as `qkdpost.reconciliation.correction.correct`."""
        outcome = yield from self.run(bits, side)
        charges = charges_of(outcome.frame_parities, lengths_of_frames(len(bits), self.parameters.frame_bits))
        return Corrected(
            bits=outcome.bits,
            given_up=Bits.zeros(len(bits)),
            given_up_charge=0,
            disclosed={Cause.REFERENCE_PARITIES: int(charges.sum()), Cause.CORRECTOR_PARITIES: outcome.parities},
            frame_charges=charges,
            frames=charges.size,
            failed_frames=0,
            rounds=outcome.rounds,
            corrected_bits=outcome.corrected_bits,
        )

    def run(self, bits: Bits, side: Side) -> Rounds[CascadeOutcome]:
        """Run one side of the conversation alone; what it discloses is not charged yet."""
        return run_cascade(
            bits,
            frame_bits=self.parameters.frame_bits,
            parameters=self.parameters,
            seed=side.seed,
            reference=side.reference,
        )
