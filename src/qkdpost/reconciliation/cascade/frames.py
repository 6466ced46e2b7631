"""One side's frames in work: what `run_cascade` drives, round by round."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import sys

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.permutation import invert
from qkdpost._kernels.cascade import trees as parity
from qkdpost._kernels.cascade.frames import load_frames, permute_frames, store_frames
from qkdpost._kernels.cascade.locating import MOST_DIGITS
from qkdpost._kernels.cascade.round import take_rounds
from qkdpost.bits import Bits, Words, adopt_words, concatenate
from qkdpost.reconciliation.cascade.parameters import CascadeParameters
from qkdpost.shared_random import permutation, random_words
from qkdpost.threads import each, threads_for_good

__all__ = ["NOTHING", "Block", "FrameBatch", "Shared", "frames_apart"]

# Bits in work at once. Of a frame there are trees of 2 bits for each bit and each pass but those of halves, and for
# the few frames that need a subset searched, 2 bits for each bit and such pass: about a byte for each bit in work. The
# lists of odd ranges have room for 1 byte for each at 1 % errors, 2 at 3 %, 8 at 11 %; whatever a peer says, for 150.
_BITS_IN_WORK = 1 << 24
# Parities asked in a round from which threads share it: some hundred microseconds of work, for each of which another
# thread begins and ends some seventy microseconds late.
_PARITIES_WORTH_THREADS = 1 << 13
# Room for the parities of the second of two rounds that a turn takes; if they may be more, the turn takes one.
_WORDS_OF_A_TURN = 1 << 12
# Frames that are worth a batch of their own: their steps are taken side by side.
_FRAMES_WORTH_A_THREAD = 8

# A frame that lacks no more than one bit in so many is filled up, and works in the batch of the others.
_FILLED_SHARE = 64

NOTHING = Bits.zeros(0)
"""What is asked before a first round, and answered."""


class Shared:
    """What the frames of one length have in common, all of it public: passes, permutations, masks."""

    def __init__(self, parameters: CascadeParameters, length: int, seed: bytes) -> None:
        self.length = length
        self.row_words = (length + 63) // 64
        self.hurry_from = -1 if parameters.hurry_from is None else parameters.hurry_from
        self.hurry_doubles = parameters.hurry_doubles
        self.early_places = parameters.early_places
        self.passes: list[tuple[int, int, int]] = []
        counts = [0, 0, 0]
        for index, block in enumerate(parameters.for_length(length)):
            kind = parity.NATURAL if index == 0 else parity.SUBSET if 2 * block >= length else parity.PERMUTED
            self.passes.append((length if kind == parity.SUBSET else block, kind, counts[kind]))
            counts[kind] += 1
        self.permuted, self.subsets = counts[parity.PERMUTED], counts[parity.SUBSET]
        label = b"cascade " + length.to_bytes(8, "little")
        drawn = [permutation(seed, label + b" order %d" % which, length) for which in range(self.permuted)]
        self.orders = _both_ways(drawn, length)
        masks = random_words(seed, label + b" subsets", self.subsets * self.row_words)
        if length % 64:
            masks[self.row_words - 1 :: self.row_words] &= np.uint64((1 << length % 64) - 1)
        self.masks = masks


def _both_ways(orders: list[NDArray[np.uint32]], length: int) -> NDArray[np.uint32]:
    """Return for all permutations the positions of their places, and the places of the positions, as `trees` says."""
    places = np.empty((length, len(orders)), dtype=np.uint32)
    for which, order in enumerate(orders):
        invert(order, places, which)
    if length > parity.LONGEST_PACKED:
        return np.concatenate([*orders, places.reshape(-1)])
    both = [order | places[:, which] << np.uint32(16) for which, order in enumerate(orders)]
    return np.concatenate(both) if both else np.empty(0, dtype=np.uint32)


class FrameBatch:
    """One side's frames of one length that are in work together."""

    def __init__(self, shared: Shared, bits: Bits, span: range, offset: int, *, correcting: bool):
        self.span = span
        self.asked = 0
        self._orders = shared.orders
        self._plan, self._cells = _lay_out(shared, len(span), correcting)
        self.room = int(self._cells[parity.ROOM])
        """No less than the ranges that the next round may list; it asks `MOST_DIGITS` parities of each at most."""
        self._capacity = 2 * self.room
        """The ranges that each list has room for; what is never touched takes no memory."""
        self._ranges = np.empty(4 * self._capacity, dtype=np.uint64)
        self._told = np.empty(0, dtype=np.uint64)
        self._place = (int(self._plan[parity.TREES_AT]), int(self._plan[parity.FRAME_WORDS]), len(span))
        self._offset = offset
        load_frames(bits.words, offset, shared.length, self._cells, *self._place)
        slices, square = np.empty(64 * shared.row_words, dtype=np.uint64), np.empty(64, dtype=np.uint64)
        permute_frames(self._cells, *self._place, shared.orders, shared.length, slices, square)

    @property
    def unfinished_bits(self) -> int:
        """Bits of the frames that still ask."""
        return int(self._cells[parity.ACTIVE]) * int(self._plan[parity.LENGTH])

    def ask(self, own: Bits, answer: Bits, read: int) -> Bits:
        """Take the frames through a round: take in what was asked of them, ask what is next.

        Args:
            own: what was asked last, of these frames from bit `read` on; empty in the first round.
            answer: the peer's, as many.
            read: what `own` says.

        Returns:
            The own parities of this round.
        """
        asked, _, parities = self.take_rounds(own, answer, read)
        return adopt_words(parities[: (asked + 63) // 64], asked)

    def take_rounds(self, own: Bits, heard: Bits, read: int) -> tuple[int, int, Words]:
        """Take the frames through a round, or two, as `Block.take_turn`."""
        if self._capacity < self.room:
            self._make_room()
        words = (MOST_DIGITS * self.room + 63) // 64
        if self._told.size < max(words, own.words.size):
            self._told = np.empty(max(words, own.words.size), np.uint64)
        parities = np.empty(words + _WORDS_OF_A_TURN, np.uint64)
        said = own.words, len(own), heard.words, len(heard), read, self._told
        asked, following = take_rounds(self._cells, self._plan, self._orders, self._ranges, *said, parities)
        self.asked, self.room = asked if following < 0 else following, self._cells.item(parity.ROOM)
        return asked, following, parities

    def _make_room(self) -> None:
        """Move the list of odd ranges to where there is room for what may be added."""
        last, used = int(self._cells[parity.LIST]), int(self._cells[parity.USED])
        start = last * self._capacity
        self._capacity = 2 * self.room
        ranges = np.empty((4, self._capacity), dtype=np.uint64)
        ranges[last, :used] = self._ranges[start : start + used]
        self._ranges = ranges.reshape(-1)

    def column(self, which: int) -> Words:
        """Return a column of every frame."""
        first = self._plan[parity.HEADERS_AT]
        return self._cells[first : first + len(self.span) * parity.COLUMNS].reshape(-1, parity.COLUMNS)[:, which]

    def errors_from(self, frame: int, place: int) -> int:
        """Return how many errors were found at `place` of a frame or behind; the batch's first frame is 0."""
        trees, frame_words, _ = self._place
        row, length = trees + frame * frame_words + int(self._plan[parity.FLIPPED_AT]), int(self._plan[parity.LENGTH])
        return Bits(self._cells[row : row + (length + 63) // 64].copy(), length)[place:].weight()

    def store(self, output: Words) -> None:
        """OR the own bits, as they are now, into `output` in their place."""
        store_frames(self._cells, *self._place, int(self._plan[parity.LENGTH]), output, self._offset)


def _lay_out(shared: Shared, frames: int, correcting: bool) -> tuple[NDArray[np.int64], Words]:
    """Return the plan and the cells of a batch, all but the own bits."""
    tree_words = parity.STRIDE * shared.row_words
    headers_at = parity.MASKS + shared.masks.size
    active_at = headers_at + frames * parity.COLUMNS
    seen_at = active_at + frames
    trees_at = seen_at + 3 * shared.row_words
    records_at = (1 + shared.permuted) * tree_words
    flipped_at = records_at + shared.subsets
    frame_words = flipped_at + shared.row_words
    plan = np.zeros(parity.PASSES_AT, dtype=np.int64)
    plan[parity.LENGTH] = shared.length
    plan[parity.CORRECTING] = correcting
    plan[parity.PASSES] = len(shared.passes)
    plan[parity.PERMUTED_PASSES] = shared.permuted
    plan[parity.HEADERS_AT] = headers_at
    plan[parity.ACTIVE_AT] = active_at
    plan[parity.SEEN_AT] = seen_at
    plan[parity.TREES_AT] = trees_at
    plan[parity.FRAME_WORDS] = frame_words
    plan[parity.FLIPPED_AT] = flipped_at
    plan[parity.HURRY_FROM] = shared.hurry_from
    plan[parity.HURRY_DOUBLES] = shared.hurry_doubles
    plan[parity.EARLY_PLACES] = shared.early_places
    trees = {parity.NATURAL: (0, 0), parity.PERMUTED: (tree_words, tree_words), parity.SUBSET: (records_at, 1)}
    rows = [(block, kind, which, trees[kind][0] + which * trees[kind][1]) for block, kind, which in shared.passes]
    # Trees of subset passes lie behind the frames; what is never made is never touched, and takes no memory.
    end = trees_at + frames * frame_words
    cells = _fresh_words(end + frames * shared.subsets * tree_words)
    cells[parity.FREE] = end
    cells[parity.ACTIVE] = frames
    cells[parity.ROOM] = frames * -(-shared.length // shared.passes[0][0])
    cells[parity.MASKS : headers_at] = shared.masks
    cells[active_at:seen_at] = np.arange(frames)
    return np.concatenate((plan, np.ravel(rows))), cells


def _fresh_words(count: int) -> Words:
    """Return zeros of which those that are never touched take no memory.

    Those of `np.zeros` do as soon as they lie where others were: then all are cleared.
    """
    if sys.platform == "win32":
        return np.frombuffer(mmap.mmap(-1, 8 * count), dtype=np.uint64)
    pages = mmap.mmap(-1, 8 * count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # of a kernel that has none; numpy asks for them, too
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, dtype=np.uint64)


class Block:
    """One side's block: its frames, and which of them are in work.

    A last frame that lacks little of the length of the others is filled up with zeros, which both hosts know.
    """

    def __init__(self, bits: Bits, frame_bits: int, parameters: CascadeParameters, seed: bytes, correcting: bool):
        length = len(bits)
        whole, rest = divmod(length, frame_bits)
        self._filled_from: int | None = None
        """Where what fills the last frame begins: what is corrected there, and not back, is no error of the key."""
        if rest and _FILLED_SHARE * (frame_bits - rest) <= frame_bits:
            self._filled_from = rest
            whole, rest = whole + 1, 0
            bits = concatenate([bits, Bits.zeros(frame_bits * whole - length)])
        self._corrected = np.zeros_like(bits.words)
        self.frame_parities = np.zeros(whole + (rest > 0), dtype=np.int64)
        self.frame_errors = np.zeros_like(self.frame_parities)
        self._length = length
        self._bits = bits
        self._frame_bits = frame_bits
        self._correcting = correcting
        self.rounds = 0
        """How often parities were asked."""
        self._work: list[FrameBatch] = []
        self._waiting: list[tuple[Shared, range]] = []
        if rest:
            self._waiting.append((Shared(parameters, rest, seed), range(whole, whole + 1)))
        if whole:
            shared = Shared(parameters, frame_bits, seed)
            at_once = max(1, _BITS_IN_WORK // frame_bits)
            starts = range(0, whole, at_once)
            self._waiting += [(shared, range(start, min(start + at_once, whole))) for start in starts]

    @property
    def output(self) -> Bits:
        """The own bits at the end, but not what fills the last frame: a wrong place, or a lying peer, may flip that."""
        return Bits(self._corrected, len(self._bits))[: self._length]

    def ask(self, own: Bits, answer: Bits) -> Bits:
        """Take every frame in work through a round, take new ones up; return the own parities of what is asked next.

        Args:
            own: what the last round returned.
            answer: the peer's parities, as many; in the first round both are empty.
        """
        work = self._work
        parities = work[0].ask(own, answer, 0) if len(work) == 1 else self._ask_several(own, answer)
        for batch in work:
            if not batch.asked:
                self._put_down(batch)
        if self._waiting:
            parities = self._take_up(parities)
        self.rounds += len(parities) > 0
        return parities

    @property
    def goes_alone(self) -> bool:
        """Whether all frames are in one batch, and no others wait: then `take_turn` takes them."""
        return len(self._work) == 1 and not self._waiting

    def take_turn(self, own: Bits, heard: Bits) -> tuple[int, int, Words]:
        """Take every frame through two rounds at once.

        Args:
            own: the own parities of the round that was asked last.
            heard: the peer's, as many, zeros up to a word, and its parities of the next round, one at least.

        Returns:
            How many parities that next round asks, how many the one after it, and words that begin with the own
            parities of the one and, from a word on, of the other. The first number is -1 where nothing was done, since
            `heard` has no zeros up to a word; the second is -1 where only one round was taken: where `heard` has not as
            many parities of the next as it asks, lists must grow, or the one after may ask more than there is room for.
        """
        [batch] = self._work
        asked, following, parities = batch.take_rounds(own, heard, 0)
        if asked < 0:
            return asked, following, parities
        self.rounds += (asked > 0) + (following > 0)
        if not batch.asked:
            self._put_down(batch)
        return asked, following, parities

    def _ask_several(self, own: Bits, answer: Bits) -> Bits:
        """Take the batches through a round, in threads at once where that is worth it."""
        starts = itertools.accumulate((batch.asked for batch in self._work), initial=0)
        work = list(zip(self._work, starts, strict=False))

        def ask(one: tuple[FrameBatch, int]) -> Bits:
            batch, read = one
            return batch.ask(own, answer, read)

        return concatenate(each(ask, work) if len(own) >= _PARITIES_WORTH_THREADS else map(ask, work))

    def _take_up(self, parities: Bits) -> Bits:
        """Put waiting frames to work while there is room for them; return all parities of the round.

        Which frames are taken up is the same on both hosts; how many batches they make depends on this one's threads,
        and shows in nothing that is said.
        """
        parts = [parities]

        def put_to_work(span: range) -> FrameBatch:
            return FrameBatch(shared, self._bits, span, span.start * self._frame_bits, correcting=self._correcting)

        while self._waiting and 2 * sum(batch.unfinished_bits for batch in self._work) <= _BITS_IN_WORK:
            shared, span = self._waiting.pop(0)
            begun = each(put_to_work, _shares(span, threads_for_good()))
            parts += each(lambda batch: batch.ask(NOTHING, NOTHING, 0), begun)
            self._work += begun
        return concatenate(parts)

    def _put_down(self, batch: FrameBatch) -> None:
        """Keep what a finished batch ended with, and go on without it."""
        self._work = [other for other in self._work if other is not batch]
        where = slice(batch.span.start, batch.span.stop)
        batch.store(self._corrected)
        self.frame_parities[where] = batch.column(parity.PARITIES)
        self.frame_errors[where] = batch.column(parity.ERRORS)
        if self._filled_from is not None and batch.span.stop == self.frame_errors.size:
            self.frame_errors[-1] -= batch.errors_from(len(batch.span) - 1, self._filled_from)


def frames_apart(block_bits: int, frame_bits: int, threads: int) -> list[range]:
    """Divide the frames of a block both of whose sides are in one process, for a conversation in each thread.

    What comes out is the same, unless the block is so long that its frames are taken up one after another: they would
    begin in other rounds, and so none are returned.
    """
    count = -(-block_bits // frame_bits)
    return _shares(range(count), threads) if count * frame_bits <= _BITS_IN_WORK else []


def _shares(span: range, threads: int) -> list[range]:
    """Divide frames among threads, a few frames to each at least."""
    count = max(1, min(threads, len(span) // _FRAMES_WORTH_A_THREAD))
    bounds = [span.start + len(span) * share // count for share in range(count + 1)]
    return [range(*pair) for pair in itertools.pairwise(bounds)]
