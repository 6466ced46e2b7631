"""The whole correction of a block on one side, whatever the method; sessions and `qkdpost.reconcile` run `correct`.

No frame is charged more than its length. Let X_f be the reference's n_f bits of frame f, P_f the punctured bits that it
drew for the frame, and W the error pattern, public where correction is two-way. All that it says of the frame is a
function of X_f, P_f, W and public seeds, and P_f is independent of everything else. So disclosing X_f and P_f outright
would disclose all of it, and lowers the min-entropy of the key by n_f at most:

    H_min(X | E, W, C) >= H_min(X | E, W, C of the other frames, X_f, P_f) >= H_min(X | E, W, C of the others) - n_f.

Of each frame the lesser of its bits and of the bits disclosed is charged; which one is known from W and the lengths of
messages, and to both hosts. Where Cascade corrects what LDPC did not, the same holds for those frames together. A
frame that is given up is charged all its bits, and nothing beside them for what was said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.payload import Rounds

__all__ = [
    "Corrected",
    "CorrectionPlan",
    "Counts",
    "RandomSource",
    "Side",
    "charges_of",
    "correct",
    "even_frame_bits",
    "lengths_of_frames",
]

Counts = NDArray[np.int64]

RandomSource = Callable[[int], bytes]
"""Returns as many fresh secret bytes as asked, as `secrets.token_bytes` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a correction.

    Args:
        reference: whether this side's bits are the ones that are kept.
        seed: 32 bytes, the same on both hosts, drawn after the quantum phase; may be public.
        random_source: of the punctured bits of LDPC: fresh, secret, uniform; the corrector does not use it.
    """

    reference: bool
    seed: bytes
    random_source: RandomSource = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What one side ends with.

    Attributes:
        bits: the block after correction, or the reference's as it was; secret. Frames given up are as they were.
        given_up: a mask of the bits in frames that are given up; both hosts have the same.
        given_up_charge: bits of `disclosed` that are charged for those, so that what is left of their length is to be
            charged.
        disclosed: bits disclosed by cause, each frame's held to its length.
        frame_charges: what each frame is charged, shape (frames,), where frames of `even_frame_bits` follow one
            another, as with Cascade; else None.
        frames: frames of the method.
        failed_frames: of these, how many LDPC did not correct; 0 of Cascade, which does not detect failures.
        rounds: messages one after another, those that both send at once counted as one: each half of a round trip. The
            last of Cascade by turns, which asks nothing, is not counted.
        corrected_bits: errors found; the reference knows those that Cascade found.
    """

    bits: Bits = field(repr=False)
    given_up: Bits
    given_up_charge: int
    disclosed: Mapping[Cause, int]
    frame_charges: Counts | None
    frames: int
    failed_frames: int
    rounds: int
    corrected_bits: int


class CorrectionPlan(Protocol):
    """How one block is corrected; both hosts derive the same plan, from their settings and from public integers."""

    @property
    def method(self) -> str:
        """The name of the method, for reports: "cascade", "ldpc", or one of another origin."""
        ...

    @property
    def number(self) -> int:
        """How the plan is named to the peer, which must have the same: 0 to 2^16.

        0 is Cascade and 1, 2, ... the LDPC codes; a method of another origin takes a number from 2^15 on.
        """
        ...

    @property
    def publishes_errors(self) -> bool:
        """Whether the conversation may publish the error pattern, so that correction counts as two-way."""
        ...

    def correct(self, bits: Bits, side: Side) -> Rounds[Corrected]:
        """Run one side; as `correct`."""
        ...


def correct(bits: Bits, plan: CorrectionPlan, side: Side) -> Rounds[Corrected]:
    """Run one side over a block: yield what to say, and `RECEIVE` to hear; return what it ends with.

    Args:
        bits: the own bits of the block; secret.
        plan: the same on both hosts.
        side: who this is.

    Raises:
        InputError: an argument lies outside its range.
        InvalidPayload: the peer's payload is not what its side could send now.
    """
    return plan.correct(bits, side)


def charges_of(disclosed: Counts, lengths: Counts) -> Counts:
    """Return what each frame is charged: what it disclosed, at most all its bits."""
    charges: Counts = np.minimum(disclosed, lengths)
    return charges


def even_frame_bits(block_bits: int, most: int) -> int:
    """Return the length of the frames of Cascade and of verification in a block of `block_bits` bits.

    They are as few as frames of `most` bits would be, and all of one length, but for the last, which lacks less than a
    bit for each frame.

    >>> even_frame_bits(150_000, most=65_536)
    50000
    """
    return max(1, -(-block_bits // max(1, -(-block_bits // most))))


def lengths_of_frames(block_bits: int, frame_bits: int) -> Counts:
    """Return the bits of each frame of a block that is cut into frames one after another."""
    starts = np.arange(0, block_bits, frame_bits, dtype=np.int64)
    return np.minimum(frame_bits, block_bits - starts)
