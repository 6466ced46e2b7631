"""How the frames of a batch stand, and what it costs to correct them and to give one up."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.stages.continuous.frames import FrameCosts

__all__ = ["PART_REALS", "RotationCosts", "Standing", "cores_of"]

PART_REALS = 2**17
"""How many outcomes the rotations in one message are of; in any dimension these are no more than a message may hold."""


class Standing:
    """How the frames of a batch stand: how many increments each has had, and which are not well yet."""

    def __init__(self, frames: int) -> None:
        self.steps: NDArray[np.int64] = np.zeros(frames, dtype=np.int64)
        self.open: NDArray[np.bool_] = np.ones(frames, dtype=np.bool_)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The frames that are open."""
        return np.flatnonzero(self.open)

    @property
    def well(self) -> NDArray[np.int64]:
        """The frames that are not."""
        return np.flatnonzero(~self.open)

    def settle(self, rows: NDArray[np.int64], well: NDArray[np.bool_]) -> None:
        """Take the verdict on some frames."""
        self.open[rows] = ~well


@dataclass(slots=True, kw_only=True)
class RotationCosts(FrameCosts):
    """What the frames cost, as both sides count it and the ledger has it."""

    plan: FramePlan = field(repr=False)

    def open_batch(self, ledger: Ledger, frames: int) -> None:
        """Charge the base syndromes of a batch, and the first verdict on each frame."""
        ledger.disclose(Cause.REFERENCE_PARITIES, frames * self.plan.syndrome_bits)
        ledger.disclose(Cause.FRAME_VERDICTS, frames)
        self.rounds += 1

    def increment(self, ledger: Ledger, step: int, frames: int) -> None:
        """Charge one more part of the syndrome for some frames, and the verdict after it."""
        ledger.disclose(Cause.REFERENCE_PARITIES, frames * self.plan.increment_bits(step))
        ledger.disclose(Cause.FRAME_VERDICTS, frames)
        self.increments += frames
        self.rounds += 1

    def give_up(self, ledger: Ledger, steps: int, *, after_comparison: bool) -> None:
        """Charge what is left of a frame that is disclosed whole after `steps` increments.

        A syndrome of s independent bits leaves n - s; where checks depend on each other it leaves more, all of which
        is disclosed too, so that n bits are charged in all.
        """
        disclosed = self.plan.syndrome_bits + sum(self.plan.increment_bits(step) for step in range(1, steps + 1))
        ledger.disclose(Cause.DROPPED_FRAMES, self.plan.frame_bits - disclosed)
        self.given_up += 1
        self.dropped += after_comparison


def cores_of(plan: FramePlan, words: NDArray[np.uint64]) -> Bits:
    """Return the bits of the cores of frames, one after another; the words of a frame are a row."""
    cores = np.ascontiguousarray(words[:, : plan.core_bits // 64])
    return Bits(cores.ravel(), len(words) * plan.core_bits)
