"""Frames and batches as both sides see them, whatever corrects them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.dialogue.program import Program
from qkdpost.security.gaussian.holevo import Detection
from qkdpost.sifting.quadratures.correlation import CorrelationSums
from qkdpost.sifting.quadratures.dither import dithered
from qkdpost.sifting.quadratures.moments import MomentSums
from qkdpost.sifting.quadratures.whitening import measured_quadratures, whiten
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.facts import CorrectionFacts
from qkdpost.stages.continuous.outcomes import FramesPlan, OpenFrames, ReverseKey, Setting
from qkdpost.stages.continuous.settings import correction_of, settings_of
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments

__all__ = ["Batches", "BlockOfFrames", "FrameCosts"]

Plan = TypeVar("Plan", bound=FramesPlan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """The frames of a block, some at a time.

    Args:
        setting: of the block.
        batch_frames: how many frames are corrected side by side.
        detection: whether a symbol gives two outcomes ("heterodyne") or one.
    """

    setting: Setting
    batch_frames: int
    detection: Detection

    @classmethod
    def of(cls, block: Block, setting: Setting) -> Batches:
        """Return the batches of a block."""
        return cls(
            setting=setting,
            batch_frames=correction_of(block).batch_frames,
            detection=settings_of(block).detection,
        )

    def __iter__(self) -> Iterator[range]:
        """Yield the numbers of the frames of each batch."""
        for first in range(0, self.setting.frames, self.batch_frames):
            yield range(first, min(first + self.batch_frames, self.setting.frames))

    @property
    def symbols_of_a_frame(self) -> int:
        """How many symbols a frame takes."""
        return self.setting.plan.frame_reals // (2 if self.detection == "heterodyne" else 1)


@dataclass(slots=True)
class FrameCosts:
    """What became of the frames, as both sides count it, and what their comparison costs."""

    given_up: int = 0
    dropped: int = 0
    increments: int = 0
    rounds: int = 0

    def compare(self, ledger: Ledger, tag_bits: int, frames: int) -> None:
        """Charge the tags of some frames, and the verdict on each."""
        ledger.disclose(Cause.FRAME_TAGS, frames * tag_bits)
        ledger.disclose(Cause.FRAME_VERDICTS, frames)
        self.rounds += 1

    def facts(self, frames: int, corrected_bits: int) -> CorrectionFacts:
        """Return what the report says of the frames."""
        return CorrectionFacts(
            frames=frames,
            frames_given_up=self.given_up,
            dropped_frames=self.dropped,
            increments=self.increments,
            reconciliation_rounds=self.rounds,
            corrected_bits=corrected_bits,
        )


Costs = TypeVar("Costs", bound=FrameCosts)


@dataclass(slots=True, kw_only=True)
class BlockOfFrames(Generic[Plan, Costs]):
    """What either side keeps while it goes through the frames of a block."""

    block: Block
    opened: OpenFrames
    plan: Plan
    batches: Batches
    costs: Costs
    sums: MomentSums
    correlations: CorrelationSums
    kept: list[Bits] = field(default_factory=list, repr=False)
    """Key of the frames that are well, batch by batch. Secret."""

    @classmethod
    def begin(cls, block: Block, opened: OpenFrames, plan: Plan, costs: Costs, **parts: Any) -> Self:
        """Return what is kept before the first batch."""
        batches = Batches.of(block, opened.setting)
        return cls(
            block=block,
            opened=opened,
            plan=plan,
            batches=batches,
            costs=costs,
            sums=MomentSums(batches.detection),
            correlations=CorrelationSums(batches.detection, opened.values.left_out),
            **parts,
        )

    def whitened_outcomes(self) -> tuple[NDArray[np.float32], Bits | None]:
        """Return the reference's outcomes of the next frame, those of a symbol in a row, and their quadratures."""
        count = self.batches.symbols_of_a_frame
        raw = dithered(self.opened.values.take(count), self.opened.adc_step, self.block.random_source)
        choices = self.opened.choices_of_next(count)
        white = whiten(raw, self.opened.setting.whitening, choices)
        self.correlations.add(white)
        return white, choices

    def sent_symbols(self) -> tuple[NDArray[np.float32], Bits | None]:
        """Return what the corrector sent in the quadratures that were measured of the next frame, and which they are.

        With heterodyne detection both, in a row for each symbol.
        """
        count = self.batches.symbols_of_a_frame
        symbols, choices = self.opened.values.take(count), self.opened.choices_of_next(count)
        return (symbols if choices is None else measured_quadratures(symbols, choices)), choices

    def add_up(self, symbols: NDArray[np.float32], outcomes: NDArray[np.float32], choices: Bits | None) -> None:
        """Add up symbols of the corrector and the outcomes that it rebuilt, of the frame that is next."""
        self.sums.add(symbols, outcomes, choices)
        self.correlations.add(outcomes)

    def finish(
        self, moments: QuadratureMoments, calibration: tuple[CalibrationMoments, CalibrationMoments | None] | None
    ) -> Program[ReverseKey]:
        """Say what became of the frames, and hand on what is kept of them."""
        key = concatenate(self.kept)
        yield self.costs.facts(self.opened.setting.frames, len(key))
        return ReverseKey(
            key=key,
            setting=self.opened.setting,
            moments=moments,
            calibration=calibration,
            correlations=self.correlations.result(),
        )
