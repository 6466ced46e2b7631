"""One side's frames in work: what `run_cascade` drives, round by round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.cascade import trees as parity
from qkdpost._kernels.cascade.frames import load_frames, permute_frames, store_frames
from qkdpost._kernels.cascade.round import advance
from qkdpost.bits import Bits
from qkdpost.reconciliation.cascade.parameters import CascadeParameters
from qkdpost.shared_random import permutation, random_words

__all__ = ["Block", "FrameBatch", "Shared"]

# Bits in work at once. Of a frame there are 3 trees of 3 bits for each bit, and for the few frames that need a subset
# searched, 3 bits for each bit and such pass: about 1.5 bytes for each bit in work.
_BITS_IN_WORK = 1 << 24


class Shared:
    """What the frames of one length have in common, all of it public: passes, permutations, masks."""

    def __init__(self, parameters: CascadeParameters, length: int, seed: bytes) -> None:
        self.length = length
        self.row_words = (length + 63) // 64
        self.passes: list[tuple[int, int, int]] = []
        counts = [0, 0, 0]
        for index, block in enumerate(parameters.for_length(length)):
            kind = parity.NATURAL if index == 0 else parity.SUBSET if 2 * block >= length else parity.PERMUTED
            self.passes.append((length if kind == parity.SUBSET else block, kind, counts[kind]))
            counts[kind] += 1
        self.permuted, self.subsets = counts[parity.PERMUTED], counts[parity.SUBSET]
        label = b"cascade " + length.to_bytes(8, "little")
        orders = np.empty((self.permuted, 2, length), dtype=np.uint32)
        for which in range(self.permuted):
            orders[which, 0] = permutation(seed, label + b" order %d" % which, length)
            orders[which, 1, orders[which, 0]] = np.arange(length, dtype=np.uint32)
        self.orders = orders.reshape(-1)
        masks = random_words(seed, label + b" subsets", self.subsets * self.row_words)
        if length % 64:
            masks[self.row_words - 1 :: self.row_words] &= np.uint64((1 << length % 64) - 1)
        self.masks = masks
        # A frame asks as many halves as it has bits at most, and a parity of each subset at once.
        self.max_asked = max(length, self.subsets)


class FrameBatch:
    """One side's frames of one length that are in work together."""

    def __init__(self, shared: Shared, bits: Bits, span: range, offset: int, *, correcting: bool):
        self.span = span
        self.mismatch = Bits.zeros(0)
        self.parities = Bits.zeros(0)
        self._orders = shared.orders
        self._plan, self._cells = _lay_out(shared, len(span), correcting)
        self._place = (self._plan[parity.FRAMES_AT] + _tree_offset(shared), self._plan[parity.FRAME_WORDS], len(span))
        self._offset = offset
        load_frames(bits.words, offset, shared.length, self._cells, *self._place)
        slices, square = np.empty(64 * shared.row_words, dtype=np.uint64), np.empty(64, dtype=np.uint64)
        permute_frames(self._cells, *self._place, shared.orders, shared.length, slices, square)
        # Never touched beyond what a round asks, so most of it takes no memory.
        capacity = len(span) * shared.max_asked
        self._asked = np.empty(capacity, dtype=np.uint64)
        self._pending = np.empty(capacity, dtype=np.uint64)
        self._output = np.empty((capacity + 63) // 64, dtype=np.uint64)

    def ask(self) -> bool:
        """Take in `mismatch` and put the next list's own parities in `parities`; return whether there are any."""
        self._asked, self._pending = self._pending, self._asked
        count = advance(
            self._cells, self._plan, self._orders, self.mismatch.words, self._asked, self._pending, self._output
        )
        self.parities = Bits(self._output[: (count + 63) // 64].copy(), count)
        return count > 0

    @property
    def unfinished_bits(self) -> int:
        """Bits of the frames that still ask."""
        return int(np.count_nonzero(self.column(parity.ASKED) != parity.DONE)) * int(self._plan[parity.LENGTH])

    def column(self, which: int) -> NDArray[np.uint64]:
        """Return a column of every frame."""
        first, stride = self._plan[parity.FRAMES_AT], self._plan[parity.FRAME_WORDS]
        return self._cells[first + which :: stride][: len(self.span)]

    def store(self, output: NDArray[np.uint64]) -> None:
        """OR the own bits, as they are now, into `output` in their place."""
        store_frames(self._cells, *self._place, int(self._plan[parity.LENGTH]), output, self._offset)


def _tree_offset(shared: Shared) -> int:
    """Return where in a frame's part of the cells the trees start."""
    return parity.COLUMNS + len(shared.passes) * (1 + (shared.row_words + 63) // 64)


def _lay_out(shared: Shared, frames: int, correcting: bool) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return the plan and the cells of a batch, all but the own bits."""
    tree_words = parity.STRIDE * shared.row_words
    tree_offset = _tree_offset(shared)
    frame_words = tree_offset + (1 + shared.permuted) * tree_words
    frames_at = parity.MASKS + shared.masks.size
    plan = np.zeros(parity.PASSES_AT + 3 * len(shared.passes), dtype=np.int64)
    plan[parity.LENGTH] = shared.length
    plan[parity.CORRECTING] = correcting
    plan[parity.PASSES] = len(shared.passes)
    plan[parity.FRAMES] = frames
    plan[parity.FRAMES_AT] = frames_at
    plan[parity.FRAME_WORDS] = frame_words
    plan[parity.SUMMARY_WORDS] = (shared.row_words + 63) // 64
    plan[parity.PASSES_AT :] = np.ravel(shared.passes)
    end = frames_at + frames * frame_words
    # Trees of subset passes lie behind the frames; what is never made is never touched, and takes no memory.
    cells = np.zeros(end + frames * shared.subsets * tree_words, dtype=np.uint64)
    cells[0] = end
    cells[parity.MASKS : frames_at] = shared.masks
    parts = cells[frames_at:end].reshape(frames, frame_words)
    for index in range(1 + shared.permuted):
        record = parity.COLUMNS + index * (1 + int(plan[parity.SUMMARY_WORDS]))
        parts[:, record] = frames_at + tree_offset + index * tree_words + np.arange(frames) * frame_words
    return plan, cells


class Block:
    """One side's block: its frames, and which of them are in work."""

    def __init__(self, bits: Bits, frame_bits: int, parameters: CascadeParameters, seed: bytes, correcting: bool):
        whole, rest = divmod(len(bits), frame_bits)
        self.output = np.zeros_like(bits.words)
        self.frame_parities = np.zeros(whole + (rest > 0), dtype=np.int64)
        self.frame_errors = np.zeros_like(self.frame_parities)
        self._bits = bits
        self._frame_bits = frame_bits
        self._correcting = correcting
        self._work: list[FrameBatch] = []
        self._waiting: list[tuple[Shared, range]] = []
        if rest:
            self._waiting.append((Shared(parameters, rest, seed), range(whole, whole + 1)))
        if whole:
            shared = Shared(parameters, frame_bits, seed)
            at_once = max(1, _BITS_IN_WORK // frame_bits)
            starts = range(0, whole, at_once)
            self._waiting += [(shared, range(start, min(start + at_once, whole))) for start in starts]

    def ask(self) -> list[FrameBatch]:
        """Take every batch in work through a round, take new ones up; return those that ask."""
        work = []
        for batch in self._work:
            if batch.ask():
                work.append(batch)
            else:
                self._put_down(batch)
        while self._waiting and 2 * sum(batch.unfinished_bits for batch in work) <= _BITS_IN_WORK:
            shared, span = self._waiting.pop(0)
            batch = FrameBatch(shared, self._bits, span, span.start * self._frame_bits, correcting=self._correcting)
            batch.ask()
            work.append(batch)
        self._work = work
        return work

    def _put_down(self, batch: FrameBatch) -> None:
        """Keep what a finished batch ended with."""
        where = slice(batch.span.start, batch.span.stop)
        batch.store(self.output)
        self.frame_parities[where] = batch.column(parity.PARITIES)
        self.frame_errors[where] = batch.column(parity.ERRORS)
