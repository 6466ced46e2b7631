"""Slices between two hosts: a batch of frames, from the reference's outcomes to labels on both sides.

The method. Multilevel coding with multistage decoding of a quantised real (sliced error correction: Van Assche,
Cardinal and Cerf, IEEE Trans. Inf. Theory 50, 394 (2004); multistage: Bloch et al., arXiv cs/0509041), with the lowest
slices disclosed in the clear. Here the line of outcomes is cut into cells of width w = 2.73 standard deviations of the
noise. The place within the cell is what would be the low slices: public, and no part of the key. The number of the cell
modulo 2^levels is the label, the key; its bits are coded from the lowest on, each from the symbol and the bits below
it. Since the cells that are left lie 2^l w apart, what level l must disclose hangs on w over the noise alone, not on
the signal:

    w / deviation   lost in the place   H of bit 0   of bit 1   of bit 2 (wrong once in)
    2.70            0.0064              0.592        0.0281     1.5e7
    2.73            0.0072              0.580        0.0257     2.1e7
    2.80            0.0094              0.550        0.0208     4.7e7

in bits of a real, H being the entropy that is left given the symbol and the lower bits. So one width and one set of
codes serve every signal: a code with 0.609 checks a bit at level 0, one with 0.033 at level 1, and 64 parities of a
frame at level 2. A code of lower rate at level 0 would allow narrower cells and lose less there.

Rounds, in each of which both sides speak, if only an empty payload:

    the reference: places, turns and syndromes                       (`qkdpost.reconciliation.slices.messages`)
    the corrector: two bits for each open frame: whether it was found, and whether more would help
    the reference: more bits of level 0 in the clear, of the frames that it would help, at positions that are fixed
    ...            verdicts and bits again, at most `len(REVEALS)` times
    the reference: all labels of the frames that were not found, if any

A frame that is found may still be wrong: verification by a universal hash comes after, and a frame that it finds wrong
is disclosed likewise (`give_up`, `take_given_up`).

What is charged. All announcements are a function f of the data; Hoelder's inequality over f with weights 2^-l(f) whose
sum is at most 1, for every value of the places, shows that what is announced is paid for by subtracting l(f) from the
length (argued in `qkdpost.security.gaussian.slices.bound`). The weights here: two bits for each open frame and verdict;
the bits by which turns are said; for a frame that is kept, its syndromes and the bits of level 0 that it revealed; for
a frame that is given up, the length of its labels in the prefix code of the plan, of which all else that
was said of it is a function, and never less than what was charged of it before. How the labels are sent, and that their
code is longer, is no matter: given f the message is a function of it.

Places are not charged. They are no bits of the key, and the bound is one of the entropy of labels given places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.bits import Bits
from qkdpost.checks import instance
from qkdpost.dialogue.ledger import Cause
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.payload import InvalidPayload, Rounds, expect_bits
from qkdpost.reconciliation.slices.codes import CODED_LEVELS
from qkdpost.reconciliation.slices.decoding import DONE, MORE, SliceDecoders
from qkdpost.reconciliation.slices.frames import (
    SlicedFrames,
    frames_of,
    give_up_bits,
    key_bits,
    labels_of_key,
    level_words,
    slice_outcomes,
)
from qkdpost.reconciliation.slices.messages import decode_first, encode_first, turn_bits
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.shared_random import permutation

__all__ = ["REVEALS", "SliceBatch", "give_up", "slices_corrector", "slices_reference", "take_given_up"]

REVEALS = (8, 8, 16, 32)
"""Of 1024 bits of level 0, how many more are revealed after each verdict that asks for it."""

_NOTHING = Bits.zeros(0)
_SEED = bytes(32)
"""Of the positions that are revealed: public, fixed, and hence independent of everything."""

Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]


@dataclass(slots=True, kw_only=True, eq=False)
class SliceBatch:
    """What one side ends with.

    Attributes:
        plan: of the block.
        sliced: labels, places and turns of all frames, those given up included; secret. The corrector's labels are the
            reference's where they were found or given up.
        given_up: which frames are given up, shape (frames,); both hosts have the same.
        frame_charges: bits that each frame is charged, int64, shape (frames,), without verdicts and turns.
        disclosed: bits disclosed by cause, all frames together.
        rounds: exchanges, of which each side counts the same.
    """

    plan: SlicePlan
    sliced: SlicedFrames = field(repr=False)
    given_up: Mask
    frame_charges: NDArray[np.int64]
    disclosed: Mapping[Cause, int]
    rounds: int

    def key(self) -> Bits:
        """Return the bits of the frames that were not given up: frame after frame, bit 0 of all its labels first."""
        return key_bits(self.sliced.labels[~self.given_up], self.plan.levels)

    def outcomes(self) -> NDArray[np.float32]:
        """Return the outcomes of all frames, float32, shape (frames, reals): what statistics are made of; secret.

        Only to be used once every frame is verified or given up.
        """
        return self.sliced.outcomes(self.plan)


def slices_reference(outcomes: NDArray[np.float32], *, plan: SlicePlan) -> Rounds[SliceBatch]:
    """Run the side whose labels are kept over a batch of frames.

    Args:
        outcomes: whitened, float32, contiguous, shape (frames * reals of a frame,); secret.
        plan: made before they were looked at.

    Yields:
        Payloads as the module says. What is sent back must be the peer's of the same round.

    Raises:
        InputError: the outcomes are of another kind, or lie too far out.
        InvalidPayload: the peer's payload is not what its side could send in this round.
    """
    sliced = slice_outcomes(outcomes, instance("plan", plan, SlicePlan))
    talk = _Talk(plan, sliced)
    syndromes = tuple(_syndromes(level_words(sliced.labels, level), plan.codes.codes[level]) for level in _LEVELS)
    expect_bits((yield encode_first(sliced, syndromes)), 0, "bits")
    for part in (*REVEALS, 0):
        verdicts = expect_bits((yield _NOTHING), 2 * talk.open.size, "verdicts")
        asking = talk.take_verdicts(verdicts, last=not part)
        if not asking.size:
            break
        positions = talk.reveal(part, asking)
        expect_bits((yield Bits.from_array((sliced.labels[asking][:, positions] & 1).reshape(-1))), 0, "bits")
    lost = np.flatnonzero(talk.given_up)
    if lost.size:
        expect_bits((yield key_bits(sliced.labels[lost], plan.levels)), 0, "bits")
    return talk.outcome()


def slices_corrector(
    expected: NDArray[np.float32], *, plan: SlicePlan, decoders: SliceDecoders | None = None
) -> Rounds[SliceBatch]:
    """Run the side that finds the reference's labels over a batch of frames.

    Args:
        expected: each outcome without its noise, gain times symbol, in the units of the reference's outcomes: float32,
            contiguous, shape (frames * reals of a frame,); secret.
        plan: the same as the reference's.
        decoders: made for this plan, to be used for one batch after another; None to make them.

    Yields:
        Payloads as the module says. What is sent back must be the peer's of the same round.

    Raises:
        InputError: the expectations are of another kind.
        InvalidPayload: the peer's payload is not what its side could send in this round.
    """
    reals = frames_of(expected, "expected", instance("plan", plan, SlicePlan))
    finder = SliceDecoders(plan) if decoders is None else decoders
    if finder.plan != plan:
        raise InputError("decoders must have been made for this plan; found those of another")
    first = decode_first((yield _NOTHING), reals.shape[0], plan)
    talk = _Talk(plan, first.sliced)
    known = np.zeros((reals.shape[0], 0), dtype=np.uint8)
    for part in (*REVEALS, 0):
        status = finder.find_labels(reals, first, talk.open, talk.revealed, known[talk.open])
        verdicts = Bits.from_array(np.concatenate([status != DONE, status == MORE]))
        expect_bits((yield verdicts), 0, "bits")
        asking = talk.take_verdicts(verdicts, last=not part)
        if not asking.size:
            break
        count = talk.reveal(part, asking).size
        answer = expect_bits((yield _NOTHING), asking.size * count, "revealed bits")
        grown = np.zeros((reals.shape[0], known.shape[1] + count), dtype=np.uint8)
        grown[:, : known.shape[1]] = known
        grown[asking, known.shape[1] :] = np.asarray(answer, dtype=np.uint8).reshape(asking.size, count)
        known = grown
    lost = np.flatnonzero(talk.given_up)
    if lost.size:
        answer = expect_bits((yield _NOTHING), lost.size * plan.frame_bits, "bits of labels")
        first.sliced.labels[lost] = labels_of_key(answer, plan)
    return talk.outcome()


def give_up(batch: SliceBatch, frames: Mask) -> tuple[Bits, int]:
    """Give up frames that verification found wrong, on the reference's side.

    Args:
        batch: of which they are marked as given up, and charged.
        frames: which, shape (frames,); none of them given up before.

    Returns:
        What to send: their labels; and what is charged in addition to what was before.
    """
    chosen = _new_frames(batch, frames)
    payload = key_bits(batch.sliced.labels[chosen], batch.plan.levels)
    return payload, _charge_given_up(batch, chosen)


def take_given_up(batch: SliceBatch, frames: Mask, payload: Bits) -> int:
    """Take the labels of frames that verification found wrong, on the corrector's side; return what is charged.

    Args:
        batch: of which they are marked as given up, and charged; its labels become the reference's.
        frames: which, shape (frames,); none of them given up before.
        payload: the peer's.

    Raises:
        InvalidPayload: it is of another length.
    """
    chosen = _new_frames(batch, frames)
    answer = expect_bits(payload, chosen.size * batch.plan.frame_bits, "bits of labels")
    batch.sliced.labels[chosen] = labels_of_key(answer, batch.plan)
    return _charge_given_up(batch, chosen)


_LEVELS = range(CODED_LEVELS)


class _Talk:
    """What both sides keep of the conversation about a batch, and what they charge for it."""

    def __init__(self, plan: SlicePlan, sliced: SlicedFrames) -> None:
        count = sliced.labels.shape[0]
        self.plan, self.sliced = plan, sliced
        self.open = np.arange(count, dtype=np.int64)
        self.revealed = np.zeros(0, dtype=np.uint32)
        self.given_up = np.zeros(count, dtype=np.bool_)
        self._charges = np.full(count, sum(plan.codes.syndrome_bits), dtype=np.int64)
        self._revealed_bits = self._verdict_bits = 0
        self._rounds = 1

    def take_verdicts(self, verdicts: Bits, *, last: bool) -> NDArray[np.int64]:
        """Take the verdicts on open frames; return those that get more, which are all that stay open."""
        flags = np.asarray(verdicts, dtype=np.bool_).reshape(2, -1)
        failed, more = flags[0], flags[1]
        if np.any(more & ~failed):
            raise InvalidPayload("expected verdicts that ask for more only of frames that failed")
        self._verdict_bits += len(verdicts)
        self._rounds += 1
        asking: NDArray[np.int64] = self.open[more & (not last)]
        self.given_up[self.open[failed]] = True
        self.given_up[asking] = False
        self.open = asking
        return asking

    def reveal(self, part: int, frames: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return the positions that the frames reveal next, and charge them."""
        count = self.plan.frame_reals * part // 1024
        start = self.revealed.size
        positions = _reveal_order(self.plan.frame_reals)[start : start + count]
        self.revealed = np.concatenate([self.revealed, positions])
        self._charges[frames] += count
        self._revealed_bits += count * frames.size
        self._rounds += 1
        return positions

    def outcome(self) -> SliceBatch:
        """Return what the side ends with, once the labels of frames given up are known to it."""
        syndromes = sum(self.plan.codes.syndrome_bits) * self.given_up.size
        turns = sum(turn_bits(turned) for turned in self.sliced.turned)
        batch = SliceBatch(
            plan=self.plan,
            sliced=self.sliced,
            given_up=np.zeros_like(self.given_up),
            frame_charges=self._charges,
            disclosed={
                Cause.REFERENCE_PARITIES: syndromes + turns,
                Cause.REVEALED_BITS: self._revealed_bits,
                Cause.FRAME_VERDICTS: self._verdict_bits,
                Cause.DROPPED_FRAMES: 0,
            },
            rounds=self._rounds + int(self.given_up.any()),
        )
        _charge_given_up(batch, np.flatnonzero(self.given_up))
        return batch


def _new_frames(batch: SliceBatch, frames: Mask) -> NDArray[np.int64]:
    if frames.dtype != np.bool_ or frames.shape != batch.given_up.shape or np.any(frames & batch.given_up):
        raise InputError(f"frames must be a mask of {batch.given_up.size} frames, none of them given up before")
    return np.flatnonzero(frames)


def _charge_given_up(batch: SliceBatch, frames: NDArray[np.int64]) -> int:
    """Mark frames as given up and charge their labels; return by how much the charge grows."""
    extra = 0
    for frame in frames:
        length = give_up_bits(batch.sliced.labels[frame], batch.plan)
        more = max(0, length - int(batch.frame_charges[frame]))
        batch.frame_charges[frame] += more
        extra += more
    batch.given_up[frames] = True
    disclosed = dict(batch.disclosed)
    disclosed[Cause.DROPPED_FRAMES] += extra
    batch.disclosed = disclosed
    return extra


def _syndromes(frames: Words, code: QuasiCyclicCode) -> Words:
    output = np.zeros((frames.shape[0], code.syndrome_bits // 64), dtype=np.uint64)
    compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, frames, output)
    return output


@lru_cache(maxsize=4)
def _reveal_order(frame_reals: int) -> NDArray[np.uint32]:
    order = permutation(_SEED, b"slices revealed", frame_reals)[: frame_reals * sum(REVEALS) // 1024].copy()
    order.flags.writeable = False
    return order
