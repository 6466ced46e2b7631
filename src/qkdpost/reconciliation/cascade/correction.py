"""A block corrected by Cascade, and what it is charged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.cascade.conversation import CascadeOutcome, run_cascade
from qkdpost.reconciliation.cascade.frames import frames_apart
from qkdpost.reconciliation.cascade.parameters import CascadeParameters
from qkdpost.reconciliation.correction import Corrected, Side, charges_of, lengths_of_frames
from qkdpost.reconciliation.payload import Rounds

__all__ = ["CascadePlan", "joined"]


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

    def parts(self, block_bits: int, threads: int) -> list[slice]:
        """Return parts of a block that both sides may correct apart, in so many threads of one process.

        Frames know nothing of each other: `joined` makes of the outcomes that of the whole.
        """
        length = self.parameters.frame_bits
        shares = frames_apart(block_bits, length, threads)
        return [slice(share.start * length, share.stop * length) for share in shares]

    def run(self, bits: Bits, side: Side) -> Rounds[CascadeOutcome]:
        """Run one side of the conversation alone; what it discloses is not charged yet."""
        return run_cascade(
            bits,
            frame_bits=self.parameters.frame_bits,
            parameters=self.parameters,
            seed=side.seed,
            reference=side.reference,
        )


def joined(outcomes: Sequence[Corrected]) -> Corrected:
    """Return the outcome of a block of those of its parts, as `CascadePlan.parts` has them."""
    charges = [outcome.frame_charges for outcome in outcomes if outcome.frame_charges is not None]
    return replace(
        outcomes[0],
        bits=concatenate(outcome.bits for outcome in outcomes),
        given_up=concatenate(outcome.given_up for outcome in outcomes),
        disclosed={cause: sum(outcome.disclosed[cause] for outcome in outcomes) for cause in outcomes[0].disclosed},
        frame_charges=np.concatenate(charges),
        frames=sum(outcome.frames for outcome in outcomes),
        rounds=max(outcome.rounds for outcome in outcomes),
        corrected_bits=sum(outcome.corrected_bits for outcome in outcomes),
    )
