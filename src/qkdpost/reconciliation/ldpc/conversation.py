"""LDPC reconciliation between two hosts: syndromes of a whole block in one message, then at most a few blind rounds.

The block's bits are dealt to the frames in turn, so that a burst of errors is shared out, and within each frame they
lie in the order of a shared permutation. The reference sends every frame's syndrome. The corrector decodes and answers
which frames failed, and how many of their punctured bits to reveal; after the blind rounds, of their key bits
(`qkdpost.reconciliation.ldpc.extension`). The reference does, and so on, as often as the plan says. The corrector sees
from the syndromes whether trying is worth while, and may ask for more without.

The sides speak by turns, and the length of every message is known before it comes. What is disclosed of a frame is its
syndrome less its punctured bits, plus all that were revealed later; a frame that failed in the end has disclosed that
too. With blind rounds the conversation is two-way, see `qkdpost.dialogue.ledger`.

Whether a frame is found hangs on the punctured bits too, seldom but measurably, as a decoder is not exactly symmetric.
They are no function of the error pattern, so verdicts are disclosed whichever way correction spoke. How many bits the
corrector asks for is a function of the error pattern, of what was said, and of the verdicts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.errors import InputError
from qkdpost.reconciliation.correction import RandomSource
from qkdpost.reconciliation.ldpc.dealt_block import DealtBlock, LdpcOutcome
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from qkdpost.reconciliation.ldpc.search import Search
from qkdpost.reconciliation.payload import RECEIVE, InvalidPayload, Rounds, expect_bits

__all__ = ["WANTED_BITS", "ldpc_corrector", "ldpc_reference"]

WANTED_BITS = 24
"""Length of the number by which the corrector says how many bits to reveal; lowest bit first."""
_REVEALED_AT_ONCE = 1 << 16
"""Bits that are taken together, for each of which a word is needed: the peer says how many it wants of how many."""


def ldpc_reference(bits: Bits, *, plan: LdpcPlan, seed: bytes, random_source: RandomSource) -> Rounds[LdpcOutcome]:
    """Run the side whose bits are kept: yield what to say, and `RECEIVE` to hear; return the outcome.

    Args:
        bits: the block; secret.
        plan: the same on both hosts.
        seed: 32 bytes, the same on both hosts, drawn after the quantum phase; may be public.
        random_source: of the punctured bits: fresh, secret, uniform; `secrets.token_bytes` will do.

    Raises:
        InputError: the block is of another length than the plan's, or the seed of another than 32.
        InvalidPayload: the peer's message has the wrong length, or asks for more bits than are hidden.
    """
    block = DealtBlock(bits, plan, seed)
    _draw_punctured(block, random_source)
    message = Bits(block.syndromes(block.frames).reshape(-1), plan.frames * plan.syndrome_bits)
    failed = ~Bits.zeros(plan.frames)
    for requests_left in range(plan.requests, -1, -1):
        yield from _say(block, message)
        answer = yield from _hear(block, plan.frames + (WANTED_BITS if requests_left else 0))
        failed, wanted = _read_answer(block, answer, failed)
        if not wanted:
            break
        message = _revealed(block, failed, block.reveal(wanted, failed))
    return block.outcome(bits, failed, 0, np.zeros(0, dtype=np.int32))


def _draw_punctured(block: DealtBlock, random_source: RandomSource) -> None:
    """Put fresh secret bits in the punctured places of every frame."""
    count = 8 * ((block.plan.frames * block.plan.punctured_bits + 63) // 64)
    drawn = random_source(count)
    if len(drawn) != count:
        raise InputError(f"random_source must return as many bytes as it is asked for; found {len(drawn)} of {count}")
    block.fill(block.layout.punctured, np.frombuffer(drawn, dtype="<u8").astype(np.uint64))


def _read_answer(block: DealtBlock, answer: Bits, open_frames: Bits) -> tuple[Bits, int]:
    """Return which frames failed, and how many bits the corrector asks for of each."""
    block.count_answer(answer)
    failed, wanted = answer[: block.plan.frames], _number(answer[block.plan.frames :])
    if wanted > block.hidden or (wanted and not failed.weight()):
        raise InvalidPayload(
            f"{wanted} bits are asked for of each of {failed.weight()} failed frames, and {block.hidden} may yet be "
            "revealed"
        )
    if (failed & ~open_frames).weight():
        raise InvalidPayload("frames are said to have failed which were found before")
    return failed, wanted


def ldpc_corrector(bits: Bits, *, plan: LdpcPlan, seed: bytes, decoder: str = "fast") -> Rounds[LdpcOutcome]:
    """Run the side that corrects its bits; arguments and errors as for `ldpc_reference`.

    Args:
        bits: the block with errors; secret.
        plan: the same on both hosts.
        seed: the same on both hosts.
        decoder: a key of `DECODERS`, the one that the plan was made for.
    """
    block = DealtBlock(bits, plan, seed)
    if decoder not in DECODERS:
        raise InputError(f"decoder must be one of {', '.join(DECODERS)}; found {decoder!r}")
    message = yield from _hear(block, plan.frames * plan.syndrome_bits)
    search = Search(block, decoder, message)
    for requests_left in range(plan.requests, -1, -1):
        failed, wanted = search.attempt(requests_left)
        answer = concatenate([failed, _digits(wanted)]) if requests_left else failed
        yield from _say(block, answer)
        block.count_answer(answer)
        if not wanted:
            break
        message = yield from _hear(block, failed.weight() * wanted)
        search.add_revealed(message, block.reveal(wanted, failed))
    corrected, count = search.corrected()
    return block.outcome(corrected, failed, count, search.iterations)


def _say(block: DealtBlock, message: Bits) -> Rounds[None]:
    block.rounds += 1
    yield message


def _hear(block: DealtBlock, expected: int) -> Rounds[Bits]:
    """Take the peer's message, which must have `expected` bits."""
    block.rounds += 1
    return expect_bits((yield RECEIVE), expected, "bits")


def _revealed(block: DealtBlock, failed: Bits, places: NDArray[np.uint32]) -> Bits:
    """Return the bits at the places of each failed frame, one frame after another."""
    chosen, words, shifts = np.flatnonzero(np.asarray(failed)), places >> 6, (places & 63).astype(np.uint64)
    at_once = max(1, _REVEALED_AT_ONCE // max(1, places.size))

    def bits_of(frames: NDArray[np.int64]) -> Bits:
        return Bits.from_array((block.frames[np.ix_(frames, words)] >> shifts & 1).reshape(-1).astype(np.uint8))

    return concatenate(bits_of(chosen[first : first + at_once]) for first in range(0, chosen.size, at_once))


def _digits(number: int) -> Bits:
    return Bits.from_bytes(number.to_bytes(WANTED_BITS // 8, "little"), WANTED_BITS)


def _number(digits: Bits) -> int:
    return int.from_bytes(digits.to_bytes(), "little")
