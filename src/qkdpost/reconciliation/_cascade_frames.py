"""One side's frames in work: what `cascade` drives, round by round."""

from __future__ import annotations

import numpy as np

from qkdpost._kernels.frames import load_frames, permute_frames, store_frames
from qkdpost._kernels.parity import ASKED, DONE, ERRORS, NATURAL, PARITIES, PERMUTED, SUBSET, advance, new_state
from qkdpost.bits import Bits
from qkdpost.reconciliation.cascade_parameters import CascadeParameters
from qkdpost.shared_random import permutation, random_words

__all__ = ["Batch", "Block", "Shared"]

# Bits in work at once. Of a frame there are 3 copies and 3 trees of 2 bits for each bit, and for the few frames that
# need a subset searched, 2 bits for each bit and such pass: about 1.5 bytes for each bit in work.
_BITS_IN_WORK = 1 << 23


class Shared:
    """What the frames of one length have in common: schedule, permutations, masks."""

    def __init__(self, parameters: CascadeParameters, length: int, seed: bytes) -> None:
        rows: list[tuple[int, int, int]] = []
        counts = [0, 0, 0]
        for index, block in enumerate(parameters.for_length(length)):
            kind = NATURAL if index == 0 else SUBSET if 2 * block >= length else PERMUTED
            rows.append((length if kind == SUBSET else block, kind, counts[kind]))
            counts[kind] += 1
        self.length = length
        self.row_words = (length + 63) // 64
        self.schedule = np.array(rows, dtype=np.int64)
        label = b"cascade " + length.to_bytes(8, "little")
        orders = [permutation(seed, label + b" order %d" % which, length) for which in range(counts[PERMUTED])]
        self.permutations = np.array(orders, dtype=np.uint32).reshape(counts[PERMUTED], length)
        self.inverses = np.argsort(self.permutations, axis=1).astype(np.uint32)
        self.masks = random_words(seed, label + b" subsets", counts[SUBSET] * self.row_words)
        if length % 64:
            self.masks[self.row_words - 1 :: self.row_words] &= np.uint64((1 << length % 64) - 1)
        # Halves of marked ranges, blocks of one pass, or one parity of each subset pass: no round asks more of a frame.
        self.most_asked = max(length // 2, *(-(-length // block) for block, _, _ in rows), counts[SUBSET])


class Batch:
    """One side's frames of one length that are in work together."""

    def __init__(self, shared: Shared, bits: Bits, span: range, offset: int, *, correcting: bool):
        self.shared = shared
        self.span = span
        self.offset = offset
        self.mismatch = Bits.zeros(0)
        self.parities = Bits.zeros(0)
        self.rows = np.empty((len(span), 1 + len(shared.permutations), shared.row_words), dtype=np.uint64)
        load_frames(bits.words, offset, shared.length, self.rows)
        permute_frames(self.rows, shared.permutations, shared.length)
        self.state = new_state(
            copies=self.rows.reshape(-1),
            frame_count=len(span),
            length=shared.length,
            schedule=shared.schedule,
            permutations=shared.permutations,
            inverses=shared.inverses,
            masks=shared.masks,
            correcting=correcting,
        )
        # Never touched beyond what a round asks, so most of it takes no memory.
        capacity = len(span) * shared.most_asked
        self.asked = np.empty(capacity, dtype=np.uint64)
        self.pending = np.empty(capacity, dtype=np.uint64)
        self.output = np.empty((capacity + 63) // 64, dtype=np.uint64)

    def ask(self) -> bool:
        """Take in `mismatch` and put the next list's own parities in `parities`; return whether there are any."""
        self.asked, self.pending = self.pending, self.asked
        count = advance(self.state, self.mismatch.words, self.asked, self.pending, self.output)
        self.parities = Bits(self.output[: (count + 63) // 64].copy(), count)
        return count > 0

    @property
    def unfinished_bits(self) -> int:
        """Bits of the frames that still ask."""
        return int(np.count_nonzero(self.state.frames[:, ASKED] != DONE)) * self.shared.length


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
        self._work: list[Batch] = []
        self._waiting: list[tuple[Shared, range]] = []
        if rest:
            self._waiting.append((Shared(parameters, rest, seed), range(whole, whole + 1)))
        if whole:
            shared = Shared(parameters, frame_bits, seed)
            at_once = max(1, _BITS_IN_WORK // frame_bits)
            starts = range(0, whole, at_once)
            self._waiting += [(shared, range(start, min(start + at_once, whole))) for start in starts]

    def ask(self) -> list[Batch]:
        """Take every batch in work through a round, take new ones up; return those that ask."""
        work = []
        for batch in self._work:
            if batch.ask():
                work.append(batch)
            else:
                self._put_down(batch)
        while self._waiting and 2 * sum(batch.unfinished_bits for batch in work) <= _BITS_IN_WORK:
            shared, span = self._waiting.pop(0)
            batch = Batch(shared, self._bits, span, span.start * self._frame_bits, correcting=self._correcting)
            batch.ask()
            work.append(batch)
        self._work = work
        return work

    def _put_down(self, batch: Batch) -> None:
        """Keep what a finished batch ended with."""
        where = slice(batch.span.start, batch.span.stop)
        store_frames(batch.rows, batch.shared.length, batch.offset, self.output)
        self.frame_parities[where] = batch.state.frames[:, PARITIES]
        self.frame_errors[where] = batch.state.frames[:, ERRORS]
