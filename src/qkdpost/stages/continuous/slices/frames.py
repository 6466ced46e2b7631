"""What both sides do alike with a batch of sliced frames: what it costs, how it is compared, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.dialogue.program import Program
from qkdpost.reconciliation.payload import Rounds
from qkdpost.reconciliation.slices.batch import SliceBatch
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.frames import BlockOfFrames, FrameCosts
from qkdpost.stages.reconciliation import exchange_rounds

__all__ = ["BlockOfSlices", "SliceCosts"]

TAGS = 0
"""The step of the one verdict that is about tags; all others are said in the rounds of correction."""

Mask = NDArray[np.bool_]
Compare: TypeAlias = Callable[[Block, int, int, Bits, int], Program[Mask]]
Disclose: TypeAlias = Callable[[SliceBatch, Mask], Rounds[int]]


class SliceCosts(FrameCosts):
    """What the frames cost, as both sides count it and the ledger has it."""

    __slots__ = ()

    def correct(self, ledger: Ledger, batch: SliceBatch) -> None:
        """Charge all that was said of a batch until each of its frames was found or given up."""
        for cause, bits in batch.disclosed.items():
            ledger.disclose(cause, bits)
        self.given_up += int(batch.given_up.sum())
        self.increments += batch.increments
        self.rounds += batch.rounds

    def drop(self, ledger: Ledger, frames: int, charge: int) -> None:
        """Charge what is left of frames that were compared, found wrong, and disclosed whole."""
        ledger.disclose(Cause.DROPPED_FRAMES, charge)
        self.given_up += frames
        self.dropped += frames


class BlockOfSlices(BlockOfFrames[SlicePlan, SliceCosts]):
    """What either side keeps while it goes through the frames of a block that are sliced."""

    __slots__ = ()

    def settle(self, first_frame: int, batch: SliceBatch, compare: Compare, disclose: Disclose) -> Program[None]:
        """Compare the frames that were found, give up those that are wrong, and keep the key of the others.

        Args:
            first_frame: of the batch.
            batch: as corrected; labels of frames that are given up here become the reference's on both sides.
            compare: by tags, as this side does it.
            disclose: what this side does about frames that are wrong.
        """
        ledger, found = self.block.ledger, np.flatnonzero(~batch.given_up)
        self.costs.correct(ledger, batch)
        if found.size:
            equal = yield from compare(self.block, first_frame, TAGS, batch.key(), self.plan.frame_bits)
            self.costs.compare(ledger, self.block.blocks.frame_tag_bits, found.size)
            wrong = np.zeros_like(batch.given_up)
            wrong[found] = ~equal
            charge = yield from exchange_rounds(self.block, disclose(batch, wrong))
            self.costs.drop(ledger, int(wrong.sum()), charge)
        self.kept.append(batch.key())
