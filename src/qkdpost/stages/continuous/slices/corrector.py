"""Correction at the corrector: it finds the reference's labels from its own symbols and what is disclosed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import instance
from qkdpost.dialogue.messages import FrameSlices
from qkdpost.dialogue.program import PAUSE, RECEIVE, Program, expect, from_peer
from qkdpost.errors import ConfigurationError, RemoteProtocolError
from qkdpost.reconciliation.slices.batch import SliceBatch, take_disclosed
from qkdpost.reconciliation.slices.conversation import corrector_rounds
from qkdpost.reconciliation.slices.decoding import SliceDecoders
from qkdpost.reconciliation.slices.messages import FirstMessage, decode_first, join_first
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.comparison import hear_tags
from qkdpost.stages.continuous.outcomes import OpenFrames, ReverseKey
from qkdpost.stages.continuous.settings import slices_of
from qkdpost.stages.continuous.slices.frames import BlockOfSlices, SliceCosts
from qkdpost.stages.reconciliation import exchange_rounds

__all__ = ["corrector"]


@dataclass(slots=True)
class _Frames:
    """What the corrector holds of a batch while it is in work. Secret."""

    symbols: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    choices: list[Bits | None] = field(default_factory=list, repr=False)


@dataclass(slots=True, kw_only=True)
class _Receiver(BlockOfSlices):
    """The corrector while it goes through the frames of a block."""

    decoders: SliceDecoders
    """Made ready for the codes once; they decode every batch."""

    def hear_batch(self, numbers: range) -> Program[None]:
        """Correct a batch, round by round, until each frame is found or disclosed whole."""
        frames, heard = _Frames(), []
        for number in numbers:
            heard.append((yield from self._hear_frame(number)))
            symbols, choices = self.sent_symbols()
            frames.symbols.append(symbols)
            frames.choices.append(choices)
        yield PAUSE
        rounds = corrector_rounds(self._expected(frames), join_first(heard), self.decoders)
        batch = yield from exchange_rounds(self.block, rounds)
        yield from self.settle(numbers[0], batch, hear_tags, take_disclosed)
        self._add_up(frames, batch)

    def _hear_frame(self, number: int) -> Program[FirstMessage]:
        """Hear places, turns and syndromes of a frame."""
        heard = expect((yield RECEIVE), FrameSlices)
        if heard.frame != number:
            raise RemoteProtocolError(f"expected slices of frame {number}; the peer sent those of frame {heard.frame}")
        with from_peer("slices"):
            return decode_first(heard.data, 1, self.plan)

    def _expected(self, frames: _Frames) -> NDArray[np.float32]:
        """Return outcomes without noise, in the unit of the reference's, a frame in a row."""
        gain = np.float32(self.opened.setting.gain)
        return np.stack([gain * symbols.ravel() for symbols in frames.symbols])

    def _add_up(self, frames: _Frames, batch: SliceBatch) -> None:
        """Add up symbols and outcomes of all frames: those that were given up are known by now, too."""
        for symbols, choices, outcomes in zip(frames.symbols, frames.choices, batch.outcomes(), strict=True):
            self.add_up(symbols, outcomes.reshape(symbols.shape), choices)


def corrector(block: Block, opened: OpenFrames) -> Program[ReverseKey]:
    """Correct all frames, batch by batch."""
    plan = instance("plan", opened.setting.plan, SlicePlan, error=ConfigurationError)
    decoders = SliceDecoders(plan, slices_of(block).decoder)
    receiver = _Receiver.begin(block, opened, plan, SliceCosts(), decoders=decoders)
    for numbers in receiver.batches:
        yield from receiver.hear_batch(numbers)
    with from_peer("slices"):  # whose turns may be such that sums of powers are none
        moments = receiver.sums.result()
    return (yield from receiver.finish(moments, None))
