"""A block corrected by LDPC, with its blind rounds and what follows on them, and what it is charged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.cascade.correction import CascadePlan
from qkdpost.reconciliation.correction import Corrected, Counts, Side, charges_of, lengths_of_frames
from qkdpost.reconciliation.ldpc.codes import code_names
from qkdpost.reconciliation.ldpc.conversation import ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.ldpc.dealt_block import LdpcOutcome, block_mask
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from qkdpost.reconciliation.payload import Rounds

__all__ = ["LdpcCorrection"]

_FRAMES_OF_A_DROPPED_ONE = 32
"""A frame that nothing helped is given up if so many others share its loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdpcCorrection:
    """Correction by LDPC, a `CorrectionPlan`.

    Args:
        plan: how the code is fitted to the block.
        decoder: a key of `DECODERS`; only the corrector uses it.
        fallback: corrects the frames that no word was found for, unless they are so few that a block is not to wait
            hundreds of rounds for them; None gives all of them up.
    """

    plan: LdpcPlan
    decoder: str
    fallback: CascadePlan | None

    @property
    def method(self) -> str:
        """The name of the method."""
        return "ldpc"

    @property
    def number(self) -> int:
        """How the plan is named to the peer: by its code, from 1 on."""
        return 1 + code_names().index(self.plan.code)

    @property
    def publishes_errors(self) -> bool:
        """Whether the corrector says more of the errors than which frames it found."""
        return self.plan.blind_rounds > 0 or self.fallback is not None

    def correct(self, bits: Bits, side: Side) -> Rounds[Corrected]:
        """Run one side over a block; as `qkdpost.reconciliation.correction.correct`."""
        found = yield from self._run(bits, side)
        charges = self._charges(found)
        failed = np.asarray(found.failed_frames, dtype=np.bool_)
        given_up = block_mask(self.plan, found.failed_frames)
        first_try = Corrected(
            bits=found.bits,
            given_up=given_up,
            given_up_charge=int(charges[failed].sum()),
            disclosed=self._disclosed(found, charges),
            frame_charges=None,
            frames=self.plan.frames,
            failed_frames=int(failed.sum()),
            rounds=found.rounds,
            corrected_bits=found.corrected_bits,
        )
        if self.fallback is None or not failed.any() or self._may_be_dropped(int(failed.sum())):
            return first_try
        return (yield from self._fall_back(self.fallback, first_try, side))

    def _may_be_dropped(self, failed: int) -> bool:
        """Whether so few frames are left, though more was disclosed of them, that giving them up costs little."""
        return self.plan.requests > 0 and failed * _FRAMES_OF_A_DROPPED_ONE <= self.plan.frames

    def _run(self, bits: Bits, side: Side) -> Rounds[LdpcOutcome]:
        if side.reference:
            return ldpc_reference(bits, plan=self.plan, seed=side.seed, random_source=side.random_source)
        return ldpc_corrector(bits, plan=self.plan, seed=side.seed, decoder=self.decoder)

    def _charges(self, found: LdpcOutcome) -> Counts:
        plan = self.plan
        return charges_of(plan.syndrome_bits - plan.punctured_bits + found.frame_revealed, plan.frame_lengths())

    def _disclosed(self, found: LdpcOutcome, charges: Counts) -> dict[Cause, int]:
        plan = self.plan
        first = charges_of(np.full(plan.frames, plan.syndrome_bits - plan.punctured_bits), plan.frame_lengths())
        return {
            Cause.REFERENCE_PARITIES: int(first.sum()),
            Cause.REVEALED_BITS: int((charges - first).sum()),
            # Which frames failed hangs on the reference's punctured bits too: charged whether or not W is published.
            Cause.FRAME_VERDICTS: found.verdict_bits,
            Cause.CORRECTOR_PARITIES: found.request_bits,
        }

    def _fall_back(self, fallback: CascadePlan, first_try: Corrected, side: Side) -> Rounds[Corrected]:
        """Correct the frames that failed, all together, and charge them together."""
        failed = first_try.given_up
        rest = yield from fallback.run(first_try.bits.select(failed), side)
        lengths = lengths_of_frames(len(rest.bits), fallback.parameters.frame_bits)
        parities = int(charges_of(rest.frame_parities, lengths).sum())
        disclosed = dict(first_try.disclosed)
        disclosed[Cause.REFERENCE_PARITIES] += min(parities, len(rest.bits) - first_try.given_up_charge)
        disclosed[Cause.CORRECTOR_PARITIES] += rest.parities
        return Corrected(
            bits=first_try.bits.replace(failed, rest.bits),
            given_up=Bits.zeros(len(failed)),
            given_up_charge=0,
            disclosed=disclosed,
            frame_charges=None,
            frames=first_try.frames,
            failed_frames=first_try.failed_frames,
            rounds=first_try.rounds + rest.rounds,
            corrected_bits=first_try.corrected_bits + rest.corrected_bits,
        )
