"""Correction at the corrector: it finds the reference's secret bits from its own symbols and what is disclosed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import instance
from qkdpost.dialogue.messages import FrameRotations, FrameSyndrome
from qkdpost.dialogue.program import PAUSE, RECEIVE, Program, expect, from_peer, peer_bits
from qkdpost.errors import ConfigurationError, RemoteProtocolError
from qkdpost.reconciliation.multidimensional import RotationMessage, rebuild_outcomes, virtual_channel
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS, CompiledRaptorDecoder
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.comparison import hear_tags, verdict
from qkdpost.stages.continuous.frames import BlockOfFrames
from qkdpost.stages.continuous.outcomes import OpenFrames, ReverseKey
from qkdpost.stages.continuous.parts import slices
from qkdpost.stages.continuous.rotations.decoding import BatchDecoder
from qkdpost.stages.continuous.rotations.frames import PART_REALS, RotationCosts, Standing, cores_of
from qkdpost.stages.continuous.settings import rotations_of

__all__ = ["corrector"]


@dataclass(slots=True)
class _Frames:
    """What the corrector holds of a batch while it is in work. Secret."""

    symbols: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    choices: list[Bits | None] = field(default_factory=list, repr=False)
    rotations: list[list[RotationMessage]] = field(default_factory=list, repr=False)
    words: NDArray[np.uint64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint64), repr=False)


@dataclass(slots=True, kw_only=True)
class _Receiver(BlockOfFrames[FramePlan, RotationCosts]):
    """The corrector while it goes through the frames of a block."""

    compiled: CompiledRaptorDecoder
    """Made ready for the code once; it decodes every batch."""

    def hear_batch(self, numbers: range) -> Program[None]:
        """Correct a batch, step by step, until each frame is well or disclosed whole."""
        plan, ledger = self.plan, self.block.ledger
        decoder = BatchDecoder.of(plan, len(numbers), self.compiled)
        frames = _Frames()
        for row, number in enumerate(numbers):
            decoder.base[row] = yield from self._hear_frame(number, frames, decoder.likelihoods[row])
        self.costs.open_batch(ledger, len(numbers))
        standing = Standing(len(numbers))
        yield from self._decode(numbers, 0, decoder, standing, standing.rows)
        for step in range(1, plan.max_steps + 1):
            rows = standing.rows
            if not rows.size:
                break
            for row in rows:
                decoder.add(int(row), step, (yield from self._hear_bits(numbers[row], step, plan.increment_bits(step))))
            standing.steps[rows] = step
            self.costs.increment(ledger, step, rows.size)
            yield from self._decode(numbers, step, decoder, standing, rows)
        frames.words = decoder.all_bits(standing.well)
        yield from self._hear_given_up(numbers, frames, standing, standing.rows, after_comparison=False)
        yield from self._compare(numbers, frames, standing)
        self._add_up(frames)

    def _hear_frame(
        self, number: int, frames: _Frames, likelihoods: NDArray[np.float32]
    ) -> Program[NDArray[np.uint64]]:
        """Hear rotations and syndrome of a frame; return the syndrome."""
        setting = self.opened.setting
        symbols, choices = self.sent_symbols()
        frames.symbols.append(symbols)
        frames.choices.append(choices)
        row, heard = symbols.ravel(), []
        for part, begin, end in slices(self.plan.frame_bits, PART_REALS):
            message = yield from self._hear_rotations(number, part, end - begin)
            channel = virtual_channel(row[begin:end], message, setting.gain, setting.noise_variance)
            likelihoods[begin:end] = channel.values[0]
            heard.append(message)
        frames.rotations.append(heard)
        return (yield from self._hear_bits(number, 0, self.plan.syndrome_bits))

    def _hear_rotations(self, number: int, part: int, reals: int) -> Program[RotationMessage]:
        heard = expect((yield RECEIVE), FrameRotations)
        if (heard.frame, heard.part) != (number, part):
            raise RemoteProtocolError(
                f"expected part {part} of frame {number}; the peer sent part {heard.part} of frame {heard.frame}"
            )
        with from_peer("rotations"):
            return RotationMessage.from_bytes(heard.data, reals, rotations_of(self.block).dimension)

    def _hear_bits(self, number: int, step: int, bits: int) -> Program[NDArray[np.uint64]]:
        """Hear so many bits of a frame."""
        heard = expect((yield RECEIVE), FrameSyndrome)
        if (heard.frame, heard.step) != (number, step):
            raise RemoteProtocolError(
                f"expected step {step} of frame {number}; the peer sent step {heard.step} of frame {heard.frame}"
            )
        return peer_bits(heard.data, bits, "syndrome").words

    def _decode(
        self, numbers: range, step: int, decoder: BatchDecoder, standing: Standing, rows: NDArray[np.int64]
    ) -> Program[None]:
        """Try frames, and say which are well."""
        yield PAUSE
        well = decoder.decode(rows, step)
        standing.settle(rows, well)
        yield verdict(self.block, numbers[0], step, well)

    def _hear_given_up(
        self,
        numbers: range,
        frames: _Frames,
        standing: Standing,
        rows: NDArray[np.int64],
        *,
        after_comparison: bool,
    ) -> Program[None]:
        """Hear frames whole: they make no key, and their outcomes count."""
        plan = self.plan
        for row in rows:
            frames.words[row] = yield from self._hear_bits(numbers[row], plan.max_steps + 1, plan.frame_bits)
            self.costs.give_up(self.block.ledger, int(standing.steps[row]), after_comparison=after_comparison)

    def _compare(self, numbers: range, frames: _Frames, standing: Standing) -> Program[None]:
        """Compare the tags of the frames that seem well, and keep those that are equal."""
        plan, rows = self.plan, standing.well
        if not rows.size:
            return
        cores = cores_of(plan, frames.words[rows])
        equal = yield from hear_tags(self.block, numbers[0], plan.max_steps + 1, cores, plan.core_bits)
        self.costs.compare(self.block.ledger, self.block.blocks.frame_tag_bits, rows.size)
        standing.settle(rows, equal)
        yield from self._hear_given_up(numbers, frames, standing, rows[~equal], after_comparison=True)
        self.kept.append(cores_of(plan, frames.words[standing.well]))

    def _add_up(self, frames: _Frames) -> None:
        """Rebuild the outcomes of all frames, of which all bits are known now, and add them up with the symbols."""
        for row, (symbols, choices, rotations) in enumerate(
            zip(frames.symbols, frames.choices, frames.rotations, strict=True)
        ):
            bits = Bits(frames.words[row].copy(), self.plan.frame_bits)
            pieces = [
                rebuild_outcomes(message, bits[begin:end])
                for message, (_, begin, end) in zip(rotations, slices(len(bits), PART_REALS), strict=True)
            ]
            self.add_up(symbols, np.concatenate(pieces).reshape(symbols.shape), choices)


def corrector(block: Block, opened: OpenFrames) -> Program[ReverseKey]:
    """Correct all frames, batch by batch."""
    plan = instance("plan", opened.setting.plan, FramePlan, error=ConfigurationError)
    decoder = RAPTOR_DECODERS[rotations_of(block).decoder]
    compiled = decoder.compile(plan.code, plan.extension_rows)
    receiver = _Receiver.begin(block, opened, plan, RotationCosts(plan=plan), compiled=compiled)
    for numbers in receiver.batches:
        yield from receiver.hear_batch(numbers)
    with from_peer("rotations"):  # whose norms may be such that sums of powers are none
        moments = receiver.sums.result()
    return (yield from receiver.finish(moments, None))
