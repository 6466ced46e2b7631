"""A block in work: its bits dealt to the frames of a code, the frames' syndromes, and what was disclosed of each."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes, gather_frames
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc.frame_layout import FrameLayout, frame_layout
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from qkdpost.shared_random import permutation, random_words
from qkdpost.threads import in_pieces

__all__ = ["DealtBlock", "LdpcOutcome", "block_mask"]

Words = NDArray[np.uint64]

_BITS_WORTH_A_THREAD = 1 << 18
"""Bits of all frames of a piece: some hundred microseconds of dealing, or of syndromes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdpcOutcome:
    """What one side ends with.

    Attributes:
        bits: the corrector's corrected bits, or the reference's as they were; secret. Frames that failed are as they
            were on both sides.
        failed_frames: one bit for each frame, 1 where no word was found; public.
        leakage_bits: disclosed by the reference: syndromes less punctured bits, plus revealed bits.
        revealed_bits: the part of `leakage_bits` that blind rounds disclosed.
        frame_revealed: the same of each frame, int64, shape (frames,).
        verdict_bits: bits that the corrector sent to say which frames failed; not part of `leakage_bits`.
        request_bits: bits that it sent to say how many bits of these to reveal.
        rounds: exchanges, of which each side counts the same.
        corrected_bits: errors found; the reference does not know, and has 0.
        iterations: of the decoder for each frame, all attempts together, int32; empty on the reference.
    """

    bits: Bits = field(repr=False)
    failed_frames: Bits
    leakage_bits: int
    revealed_bits: int
    frame_revealed: NDArray[np.int64] = field(repr=False)
    verdict_bits: int
    request_bits: int
    rounds: int
    corrected_bits: int
    iterations: NDArray[np.int32] = field(repr=False)


class DealtBlock:
    """One side's block, its bits dealt to frames; code, layout and deal are the same on both sides. Holds secrets.

    Attributes:
        frames: the packed frames, uint64, shape (frames, frame bits / 64); what this side does not know is 0.
        hidden: bits of each open frame that may yet be revealed: first punctured ones, then those of the extension.
        frame_revealed: how many were, of each frame; int64, shape (frames,).
    """

    def __init__(self, bits: Bits, plan: LdpcPlan, seed: bytes) -> None:
        if len(bits) != plan.block_bits:
            raise InputError(f"bits must be the {plan.block_bits} that the plan is for; found {len(bits)}")
        self.bits, self.plan, self._seed = bits, plan, seed
        self.code: QuasiCyclicCode = load_code(plan.code)
        self.layout: FrameLayout = frame_layout(plan.code, plan.punctured_bits, plan.shortened_bits)
        self.order = permutation(seed, b"ldpc order", plan.key_bits)
        self.frames = np.zeros((plan.frames, self.code.frame_bits // 64), dtype=np.uint64)
        self.rounds = self.verdict_bits = self.request_bits = 0
        self.frame_revealed = np.zeros(plan.frames, dtype=np.int64)
        self.hidden = plan.extension_bits + plan.punctured_bits
        self._deal(bits.words, len(bits), self.layout.key, self.order)
        shortened = plan.frames * plan.shortened_bits
        self.fill(self.layout.shortened, random_words(seed, b"ldpc shortened", (shortened + 63) // 64))

    def fill(self, positions: NDArray[np.uint32], words: Words) -> None:
        """Add bits to the frames at the positions, dealt as the block's are."""
        places = np.sort(positions)
        self._deal(words, places.size * self.plan.frames, places, np.arange(places.size, dtype=np.uint32))

    def _deal(self, words: Words, length: int, places: NDArray[np.uint32], order: NDArray[np.uint32]) -> None:
        """Add so many bits to the frames: in each place of all frames those that `order` names for it."""
        sources = np.full(self.code.frame_bits, -1, dtype=np.int64)
        sources[places] = order
        fixed = words.view()  # read-only as those of a block are, so that one compiled kernel serves all
        fixed.flags.writeable = False

        def deal(first: int, end: int) -> None:
            gather_frames(fixed, length, sources, first, end, self.frames)

        in_pieces(deal, self.code.frame_bits // 64, _BITS_WORTH_A_THREAD // (64 * self.plan.frames))

    def syndromes(self, frames: Words) -> Words:
        """Return the packed syndromes of packed frames."""
        code = self.code
        output = np.zeros((frames.shape[0], code.syndrome_bits // 64), dtype=np.uint64)

        def compute(first: int, end: int) -> None:
            part = frames[first:end]
            compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, part, output[first:end])

        in_pieces(compute, frames.shape[0], _BITS_WORTH_A_THREAD // code.frame_bits)
        return output

    @property
    def hidden_punctured(self) -> int:
        """Punctured bits of each open frame that were not revealed yet."""
        return max(0, self.hidden - self.plan.extension_bits)

    @property
    def shown_key_bits(self) -> int:
        """Key bits of each open frame that were revealed."""
        return max(0, self.plan.extension_bits - self.hidden)

    def reveal(self, count: int, failed: Bits) -> NDArray[np.uint32]:
        """Return the places of the next `count` bits that failed frames reveal, hidden no longer."""
        self.hidden -= count
        self.frame_revealed[np.asarray(failed, dtype=np.bool_)] += count
        first = self.hidden - self.plan.extension_bits
        if first >= 0:
            return self.layout.punctured[first : first + count]
        return np.concatenate([self._extension(), self.layout.punctured])[self.hidden : self.hidden + count]

    def _extension(self) -> NDArray[np.uint32]:
        """Return the places of the key bits that may be revealed, the last of them first."""
        order = permutation(self._seed, b"ldpc extension", self.plan.key_bits)
        return self.layout.key[order[: self.plan.extension_bits]]

    def hidden_layout(self) -> FrameLayout:
        """Return the layout of an open frame, in which what was revealed counts as shortened."""
        if self.hidden == self.plan.extension_bits + self.plan.punctured_bits:
            return self.layout
        shown = self._extension()[self.hidden :] if self.shown_key_bits else self.layout.key[:0]
        punctured, revealed = np.split(self.layout.punctured, [self.hidden_punctured])
        return FrameLayout(
            key=np.setdiff1d(self.layout.key, shown, assume_unique=True),
            punctured=punctured,
            shortened=np.concatenate([self.layout.shortened, revealed, shown]),
        )

    def count_answer(self, answer: Bits) -> None:
        """Count what the corrector said of its frames."""
        self.verdict_bits += self.plan.frames
        self.request_bits += len(answer) - self.plan.frames

    def outcome(self, bits: Bits, failed: Bits, corrected: int, iterations: NDArray[np.int32]) -> LdpcOutcome:
        """Return what the side ends with."""
        revealed = int(self.frame_revealed.sum())
        return LdpcOutcome(
            bits=bits,
            failed_frames=failed,
            leakage_bits=self.plan.first_leakage_bits + revealed,
            revealed_bits=revealed,
            frame_revealed=self.frame_revealed,
            verdict_bits=self.verdict_bits,
            request_bits=self.request_bits,
            rounds=self.rounds,
            corrected_bits=corrected,
            iterations=iterations,
        )


def block_mask(plan: LdpcPlan, frames: Bits) -> Bits:
    """Return a mask of the block's bits that lie in the frames of mask `frames`, for dropping or another method."""
    chosen = np.asarray(frames, dtype=np.bool_)
    if not chosen.any():
        return Bits.zeros(plan.block_bits)
    repeats = -(-plan.block_bits // plan.frames)
    return Bits.from_array(np.tile(chosen, repeats)[: plan.block_bits])
