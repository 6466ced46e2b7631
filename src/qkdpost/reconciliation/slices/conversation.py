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

By turns:

    the reference: places, turns and syndromes                       (`qkdpost.reconciliation.slices.messages`)
    the corrector: two bits for each open frame: whether it was found, and whether more would help
    the reference: more bits of level 0 in the clear, of the frames that it would help, at positions that are fixed
    ...            verdicts and bits again, at most `len(REVEALS)` times
    the reference: all labels of a frame that was not found, one by one

A frame that is found may still be wrong: verification by a universal hash comes after, and a frame that it finds wrong
is disclosed likewise (`qkdpost.reconciliation.slices.batch.give_up`, `take_given_up`).

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

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import instance
from qkdpost.errors import InputError
from qkdpost.reconciliation.payload import RECEIVE, Rounds, expect_bits
from qkdpost.reconciliation.slices.batch import REVEALS, SliceBatch, Talk
from qkdpost.reconciliation.slices.decoding import DONE, MORE, SliceDecoders
from qkdpost.reconciliation.slices.frames import SlicedFrames, frames_of, key_bits, labels_of_key, slice_outcomes
from qkdpost.reconciliation.slices.messages import FirstMessage, decode_first, encode_first
from qkdpost.reconciliation.slices.plan import SlicePlan

__all__ = ["corrector_rounds", "reference_rounds", "slices_corrector", "slices_reference"]


def slices_reference(outcomes: NDArray[np.float32], *, plan: SlicePlan) -> Rounds[SliceBatch]:
    """Run the side whose labels are kept over a batch of frames.

    Args:
        outcomes: whitened, float32, contiguous, shape (frames * reals of a frame,); secret.
        plan: made before they were looked at.

    Yields:
        Payloads as the module says, and `RECEIVE` for those of the peer.

    Raises:
        InputError: the outcomes are of another kind, or lie too far out.
        InvalidPayload: the peer's payload is not what its side could send now.
    """
    sliced = slice_outcomes(outcomes, instance("plan", plan, SlicePlan))
    yield encode_first(sliced, plan)
    return (yield from reference_rounds(sliced, plan))


def reference_rounds(sliced: SlicedFrames, plan: SlicePlan) -> Rounds[SliceBatch]:
    """Run the rest of `slices_reference`, of frames of which the first message was sent before."""
    talk = Talk(plan, sliced)
    for part in (*REVEALS, 0):
        verdicts = expect_bits((yield RECEIVE), 2 * talk.open.size, "verdicts")
        asking = talk.take_verdicts(verdicts, last=not part)
        if not asking.size:
            break
        positions = talk.reveal(part, asking)
        yield Bits.from_array((sliced.labels[asking][:, positions] & 1).reshape(-1))
    for frame in np.flatnonzero(talk.given_up):
        yield key_bits(sliced.labels[frame : frame + 1], plan.levels)
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
        Payloads as the module says, and `RECEIVE` for those of the peer.

    Raises:
        InputError: the expectations are of another kind.
        InvalidPayload: the peer's payload is not what its side could send now.
    """
    reals = frames_of(expected, "expected", instance("plan", plan, SlicePlan))
    finder = SliceDecoders(plan) if decoders is None else decoders
    if finder.plan != plan:
        raise InputError("decoders must have been made for this plan; found those of another")
    first = decode_first((yield RECEIVE), reals.shape[0], plan)
    return (yield from corrector_rounds(reals, first, finder))


def corrector_rounds(reals: NDArray[np.float32], first: FirstMessage, finder: SliceDecoders) -> Rounds[SliceBatch]:
    """Run the rest of `slices_corrector`, of frames of which the first message was read before.

    Args:
        reals: expectations, shape (frames, reals of a frame).
        first: of these frames, as read; its labels are found, in place.
        finder: of the plan by which it was read.
    """
    plan = finder.plan
    talk = Talk(plan, first.sliced)
    known = np.zeros((reals.shape[0], 0), dtype=np.uint8)
    for part in (*REVEALS, 0):
        status = finder.find_labels(reals, first, talk.open, talk.revealed, known[talk.open])
        verdicts = Bits.from_array(np.concatenate([status != DONE, status == MORE]))
        yield verdicts
        asking = talk.take_verdicts(verdicts, last=not part)
        if not asking.size:
            break
        count = talk.reveal(part, asking).size
        answer = expect_bits((yield RECEIVE), asking.size * count, "revealed bits")
        grown = np.zeros((reals.shape[0], known.shape[1] + count), dtype=np.uint8)
        grown[:, : known.shape[1]] = known
        grown[asking, known.shape[1] :] = np.asarray(answer, dtype=np.uint8).reshape(asking.size, count)
        known = grown
    for frame in np.flatnonzero(talk.given_up):
        answer = expect_bits((yield RECEIVE), plan.frame_bits, "bits of labels")
        first.sliced.labels[frame] = labels_of_key(answer, plan)[0]
    return talk.outcome()
