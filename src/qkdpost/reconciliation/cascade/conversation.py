"""Cascade between two hosts: one symmetric state machine, of which each host runs one side.

In every round both hosts know the same list of ranges whose parities are asked. Each says its own parities of the
list, and hears the peer's; where the two differ, a range holds an odd number of errors. Both learn the same, and so
both know the next list; the side that corrects flips its bits, the reference only records. A message holds nothing but
parities, its length is known in advance, and no bit of it can lead outside.

While a round asks many parities, both sides speak at once, for then both work at once. From the first round on that
asks fewer than `TURNS_BELOW` they take turns: who hears the peer's parities of a round knows the next list, and says
with its own parities of this round those of the next. A round takes half of a round trip either way, but by turns one
message, not two. The corrector proposes the correction, and so is the first that can say what round 0 asks, the
reference the first that can say round 1, and so on: which of them begins the turns follows from the round's number.

The schedule is that of Martinez-Mateo et al. (Quantum Inf. Comput. 15, 453, arXiv 1407.3257) with all known parities
taking part (sub-block reuse). All blocks of a pass are asked at once. While any known range is odd, these are halved in
one round: the odd ranges of the earliest pass that has any, which are disjoint and mostly the smallest; and the odd
ranges of at most 16 places in every pass, which seldom hold the error that another search is after. (Without the latter
the efficiency at 1 % is 0.7 % worse and a frame takes 40 % more rounds; with longer ones it is worse again.) A
corrected bit turns the parity of every known range that holds it. Four things differ from that paper and are measured
in benchmarks/quality:

- in the sets of our own an odd range that is short is not halved again and again: its parities that tell in binary
  where an error is, if there is but one, are asked in one round (`qkdpost._kernels.cascade.locating`). A wrong place
  is corrected like a right one, and is then an error that other passes find; where another pass knows the bit by
  itself, it is not, and the range is searched on. Where few errors tell the rate, this begins when a frame hurries;
- a pass of half-frame blocks is a random subset, searched in the frame's own order;
- a frame that has taken long hurries: from a round on that its parameters name, longer ranges are searched at once,
  then odd ranges are cut in 4, 8, 16 or 32 parts and not in two, at first where that makes 4 parts in all, later 8, 16
  and 32;
- the parities of consecutive passes of this kind are asked in one round, since each is asked in any case.

Frames do not wait for each other: a block takes the rounds of its slowest frame. One that is told of an error where
another pass has shown that there is none hears a peer that lies: it is given up, so that no peer can keep it going.

Leakage: one bit for each parity asked, and no more for a frame than it has bits (`qkdpost.reconciliation.correction`).
The last block of a pass after the first is not asked, nor is the last part of a range.
Each host's messages are given by its peer's and by the error pattern; what that means for the key is explained in
`qkdpost.dialogue.ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import whole_number
from qkdpost.reconciliation.cascade.frames import NOTHING, Block
from qkdpost.reconciliation.cascade.parameters import CascadeParameters
from qkdpost.reconciliation.cascade.turns import take_turns
from qkdpost.reconciliation.payload import RECEIVE, Rounds, expect_bits

__all__ = ["TURNS_BELOW", "CascadeOutcome", "run_cascade"]

TURNS_BELOW = 1 << 12
"""Parities that a round must ask for both sides to speak at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeOutcome:
    """What one side ends with.

    Attributes:
        bits: the corrector's corrected bits, or the reference's as they were; secret.
        corrected_bits: errors found in all frames: bits that were corrected, and not back.
        parities: parities disclosed by the reference, and as many by the corrector. The leakage is no more than that,
            nor in any frame more than its bits (`qkdpost.reconciliation.correction`).
        rounds: how often parities were asked, each time of all frames that were still searched.
        frame_parities: parities of each frame (int64, shape (frames,)).
        frame_errors: errors found in each frame (int64, shape (frames,)).
    """

    bits: Bits = field(repr=False)
    corrected_bits: int
    parities: int
    rounds: int
    frame_parities: NDArray[np.int64]
    frame_errors: NDArray[np.int64]


def run_cascade(
    bits: Bits, *, frame_bits: int, parameters: CascadeParameters, seed: bytes, reference: bool
) -> Rounds[CascadeOutcome]:
    """Run one side of Cascade over a block: yield the parities to say, and `RECEIVE` to hear; return the outcome.

    Args:
        bits: the own sifted bits of the block; secret. Cut into frames of `frame_bits`, the last as long as what is
            left; one that lacks no more than a bit in 64 is filled up with zeros, which both sides know.
        frame_bits: length of a frame in bits, 1 to 2^20.
        parameters: block sizes of the passes, the same on both hosts.
        seed: 32 bytes, the same on both hosts and fresh for each block, drawn after the quantum phase; may be public.
            Permutations and subsets come from it.
        reference: whether these bits are the ones that are kept.

    Yields:
        The own parities to say, and `RECEIVE` to hear the peer's.

    Raises:
        InputError: a frame length outside its range, or a seed of another length.
        InvalidPayload: the peer's parities are more or fewer than were asked.
    """
    frame_bits = whole_number("frame_bits", frame_bits, least=1, most=1 << 20)
    block = Block(bits, frame_bits, parameters, seed, not reference)
    own = block.ask(NOTHING, NOTHING)
    while (count := len(own)) >= TURNS_BELOW:
        yield own
        answer = expect_bits((yield RECEIVE), count, "parities")
        own = block.ask(own, answer)
    yield from take_turns(block, own, speaks=reference is (block.rounds % 2 == 0))
    return CascadeOutcome(
        bits=block.output,
        corrected_bits=int(block.frame_errors.sum()),
        parities=int(block.frame_parities.sum()),
        rounds=block.rounds,
        frame_parities=block.frame_parities,
        frame_errors=block.frame_errors,
    )
