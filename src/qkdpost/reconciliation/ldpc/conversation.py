"""LDPC reconciliation between two hosts: syndromes of a whole block in one message, then at most a few blind rounds.

The block's bits are dealt to the frames in turn, so that a burst of errors is shared out, and within each frame they
lie in the order of a shared permutation. The reference sends every frame's syndrome. The corrector decodes and answers
which frames failed, and how many of their punctured bits to reveal. The reference does, and so on, as often as the plan
says. The corrector sees from the syndromes whether trying is worth while, and may ask for more without.

Both sides run in step, as in Cascade: in every round each yields what it sends, often nothing, and is sent the peer's.
The length of every message is known before it comes. What is disclosed of a frame is its syndrome less its punctured
bits, plus those of them that were revealed later; a frame that failed in the end has disclosed that too. With blind
rounds the conversation is two-way, see `qkdpost.dialogue.ledger`.

Whether a frame is found hangs on the punctured bits too, seldom but measurably, as a decoder is not exactly symmetric.
They are no function of the error pattern, so verdicts are disclosed whichever way correction spoke. How many bits the
corrector asks for is a function of the error pattern, of what was said, and of the verdicts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import compute_syndromes, flip_errors, gather_frames
from qkdpost.bits import Bits, concatenate
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.correction import RandomSource
from qkdpost.reconciliation.ldpc.blind_rounds import NeedLaw, need_law, wanted_bits, worth_trying
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc.decoders import DECODERS, CompiledDecoder, Decoder
from qkdpost.reconciliation.ldpc.frame_layout import FrameLayout, frame_layout, mask_of
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from qkdpost.reconciliation.ldpc.syndrome_rate import RateEstimate, combine, estimate_from_checks, parities_of_key_bits
from qkdpost.reconciliation.payload import InvalidPayload, Payload, Rounds, expect_bits
from qkdpost.shared_random import permutation, random_words

__all__ = ["WANTED_BITS", "LdpcOutcome", "block_mask", "ldpc_corrector", "ldpc_reference"]

Words = NDArray[np.uint64]

WANTED_BITS = 24
"""How the corrector tells how many bits to reveal: a number of so many bits, the lowest first."""

_FRAMES_TO_COUNT = 64
"""Frames whose syndromes are looked at to find the error rate."""


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
        verdict_bits: bits that the corrector sent to tell which frames failed; not part of `leakage_bits`.
        request_bits: bits that it sent to tell how many to reveal of them.
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


class _Block:
    """What both sides share: code, layout and the deal of bits to frames."""

    def __init__(self, bits: Bits, plan: LdpcPlan, seed: bytes) -> None:
        if len(bits) != plan.block_bits:
            raise InputError(f"bits must be the {plan.block_bits} that the plan is for; found {len(bits)}")
        self.bits, self.plan = bits, plan
        self.code: QuasiCyclicCode = load_code(plan.code)
        self.layout: FrameLayout = frame_layout(plan.code, plan.punctured_bits, plan.shortened_bits)
        self.order = permutation(seed, b"ldpc order", plan.key_bits)
        self.frames = np.zeros((plan.frames, self.code.frame_bits // 64), dtype=np.uint64)
        self.rounds = self.verdict_bits = self.request_bits = 0
        self.frame_revealed = np.zeros(plan.frames, dtype=np.int64)
        self.hidden = plan.punctured_bits
        gather_frames(bits.words, len(bits), self.order, self.layout.key, self.frames)
        shortened = plan.frames * plan.shortened_bits
        self.fill(self.layout.shortened, random_words(seed, b"ldpc shortened", (shortened + 63) // 64))

    def fill(self, positions: NDArray[np.uint32], words: Words) -> None:
        """Add bits to the frames at the positions, dealt as the block's are."""
        places = np.sort(positions)
        order = np.arange(places.size, dtype=np.uint32)
        gather_frames(words, places.size * self.plan.frames, order, places, self.frames)

    def syndromes(self, frames: Words) -> Words:
        """Return the packed syndromes of packed frames."""
        code = self.code
        output = np.zeros((frames.shape[0], code.syndrome_bits // 64), dtype=np.uint64)
        compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, frames, output)
        return output

    def reveal(self, count: int, failed: Bits) -> NDArray[np.uint32]:
        """Return the places of the next `count` punctured bits that failed frames reveal, hidden no longer."""
        self.hidden -= count
        self.frame_revealed[np.asarray(failed, dtype=np.bool_)] += count
        return self.layout.punctured[self.hidden : self.hidden + count]

    def count_answer(self, answer: Bits) -> None:
        """Count what the corrector said of its frames."""
        self.verdict_bits += self.plan.frames
        self.request_bits += len(answer) - self.plan.frames

    def outcome(self, bits: Bits, failed: Bits, corrected: int, iterations: NDArray[np.int32]) -> LdpcOutcome:
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


def ldpc_reference(bits: Bits, *, plan: LdpcPlan, seed: bytes, random_source: RandomSource) -> Rounds[LdpcOutcome]:
    """Run the side whose bits are kept: yield what to send in each round, be sent the peer's, return the outcome.

    Args:
        bits: the block; secret.
        plan: the same on both hosts.
        seed: 32 bytes, the same on both hosts, drawn after the quantum phase; may be public.
        random_source: of the punctured bits: fresh, secret, uniform; `secrets.token_bytes` will do.

    Raises:
        InputError: the block is of another length than the plan's, or the seed of another than 32.
        InvalidPayload: the peer's message has the wrong length, or asks for more bits than are hidden.
    """
    block = _Block(bits, plan, seed)
    _draw_punctured(block, random_source)
    message = Bits(block.syndromes(block.frames).reshape(-1), plan.frames * plan.syndrome_bits)
    failed = ~Bits.zeros(plan.frames)
    for rounds_left in range(plan.blind_rounds, -1, -1):
        yield from _exchange(block, message, 0)
        answer = yield from _exchange(block, Bits.zeros(0), plan.frames + (WANTED_BITS if rounds_left else 0))
        failed, wanted = _read_answer(block, answer, failed)
        if not wanted:
            break
        message = _revealed(block, failed, block.reveal(wanted, failed))
    return block.outcome(bits, failed, 0, np.zeros(0, dtype=np.int32))


def _draw_punctured(block: _Block, random_source: RandomSource) -> None:
    """Put fresh secret bits in the punctured places of every frame."""
    count = 8 * ((block.plan.frames * block.plan.punctured_bits + 63) // 64)
    drawn = random_source(count)
    if len(drawn) != count:
        raise InputError(f"random_source must return as many bytes as it is asked for; found {len(drawn)} of {count}")
    block.fill(block.layout.punctured, np.frombuffer(drawn, dtype="<u8").astype(np.uint64))


def _read_answer(block: _Block, answer: Bits, open_frames: Bits) -> tuple[Bits, int]:
    """Return which frames failed, and how many bits the corrector asks for of each."""
    block.count_answer(answer)
    failed, wanted = answer[: block.plan.frames], _number(answer[block.plan.frames :])
    if wanted > block.hidden or (wanted and not failed.weight()):
        raise InvalidPayload(
            f"{wanted} punctured bits are asked for of each of {failed.weight()} failed frames, and {block.hidden} are "
            "still hidden"
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
    block = _Block(bits, plan, seed)
    if decoder not in DECODERS:
        raise InputError(f"decoder must be one of {', '.join(DECODERS)}; found {decoder!r}")
    message = yield from _exchange(block, Bits.zeros(0), plan.frames * plan.syndrome_bits)
    search = _Search(block, decoder, message)
    for rounds_left in range(plan.blind_rounds, -1, -1):
        failed, wanted = search.attempt(rounds_left)
        answer = concatenate([failed, _digits(wanted)]) if rounds_left else failed
        yield from _exchange(block, answer, 0)
        block.count_answer(answer)
        if not wanted:
            break
        message = yield from _exchange(block, Bits.zeros(0), failed.weight() * wanted)
        search.add_revealed(message, block.reveal(wanted, failed))
    corrected, count = search.corrected()
    return block.outcome(corrected, failed, count, search.iterations)


class _Search:
    """The corrector's side of the search for error patterns."""

    def __init__(self, block: _Block, decoder: str, syndromes: Bits) -> None:
        frames = block.plan.frames
        self._block, self._decoder = block, DECODERS[decoder]
        self._unknown = mask_of(block.layout.punctured, block.code.frame_bits)
        self._known = mask_of(block.layout.shortened, block.code.frame_bits)
        self._received: Words = syndromes.words.reshape(frames, -1)
        self._errors = np.zeros_like(block.frames)
        self.found = np.zeros(frames, dtype=np.bool_)
        self.iterations = np.zeros(frames, dtype=np.int32)
        self._rate = _estimate(block, self._differences(np.arange(min(frames, _FRAMES_TO_COUNT))))
        self._law: NeedLaw = need_law(block.plan, decoder, self._rate)

    def _differences(self, wanted: NDArray[np.int64]) -> Words:
        """Return the syndromes of the error patterns sought in some frames."""
        return self._received[wanted] ^ self._block.syndromes(self._block.frames[wanted])

    def attempt(self, rounds_left: int) -> tuple[Bits, int]:
        """Decode if it is worth while; return the frames not yet found, and how many bits to ask of each."""
        plan = self._block.plan
        rounds_left = rounds_left if self._block.hidden else 0  # where nothing is hidden, asking is of no use
        disclosed = plan.syndrome_bits - self._block.hidden
        tried = worth_trying(plan, self._law, disclosed, rounds_left)
        if tried:
            self._decode(self._decoder)
        if tried and not rounds_left:
            self._rescue()
        failed = Bits.from_array(~self.found)
        wanted = wanted_bits(plan, self._law, disclosed, rounds_left, tried) if failed.weight() else 0
        return failed, wanted

    def add_revealed(self, revealed: Bits, places: NDArray[np.uint32]) -> None:
        """Write revealed bits into the frames not yet found."""
        for number, frame in enumerate(np.flatnonzero(~self.found)):
            bits = np.asarray(revealed[number * places.size : (number + 1) * places.size], dtype=np.uint64)
            words, shifts = places >> 6, (places & 63).astype(np.uint64)
            np.bitwise_or.at(self._block.frames[frame], words, bits << shifts)
        mask = mask_of(places, self._block.code.frame_bits)
        self._known ^= mask
        self._unknown ^= mask

    def _rescue(self) -> None:
        """Let the decoder's better one try the frames of which no more will be disclosed."""
        better = DECODERS.get(getattr(self._decoder, "rescue", ""))
        if better is not None and not self.found.all():
            self._decode(better)

    def _decode(self, decoder: Decoder) -> None:
        """Look again for the patterns of all frames not yet found."""
        wanted = np.flatnonzero(~self.found)
        syndromes = self._differences(wanted)
        rate = max(1, round(1e6 * self._rate.error_rate))
        channel = BinarySymmetric(error_rate_ppm=rate, known=self._known, unknown=self._unknown)
        with _borrowed(self._block.code, decoder) as compiled:
            decoded = compiled.decode(syndromes, channel)
        self._errors[wanted] = decoded.words
        self.found[wanted] = decoded.converged
        self.iterations[wanted] += decoded.iterations

    def corrected(self) -> tuple[Bits, int]:
        """Return the block with the errors of all found frames flipped, and how many those were."""
        block = self._block
        words = block.bits.words.copy()
        places = np.full(block.code.frame_bits, -1, dtype=np.int64)
        places[block.layout.key] = np.arange(block.layout.key.size)
        wanted = self.found.astype(np.uint8)
        count = flip_errors(self._errors, wanted, block.order, places, len(block.bits), words)
        return Bits(words, len(block.bits)), int(count)


def block_mask(plan: LdpcPlan, frames: Bits) -> Bits:
    """Return a mask of the block's bits that lie in the frames of mask `frames`, for dropping or another method."""
    chosen = np.asarray(frames, dtype=np.bool_)
    repeats = -(-plan.block_bits // plan.frames)
    return Bits.from_array(np.tile(chosen, repeats)[: plan.block_bits])


def _exchange(block: _Block, message: Bits, expected: int) -> Generator[Payload, Payload, Bits]:
    """Send one message and take the peer's, which must have `expected` bits."""
    answer = expect_bits((yield message), expected, "bits")
    block.rounds += 1
    return answer


def _revealed(block: _Block, failed: Bits, places: NDArray[np.uint32]) -> Bits:
    """Return the bits at the places of each failed frame, one frame after another."""
    length = block.code.frame_bits
    return concatenate(Bits(block.frames[frame], length).take(places) for frame in np.flatnonzero(np.asarray(failed)))


def _digits(number: int) -> Bits:
    return Bits.from_bytes(number.to_bytes(WANTED_BITS // 8, "little"), WANTED_BITS)


def _number(digits: Bits) -> int:
    return int.from_bytes(digits.to_bytes(), "little")


def _estimate(block: _Block, differences: Words) -> RateEstimate:
    """Return the error rate that the plan and the syndromes of the error patterns tell together."""
    plan = block.plan
    planned = RateEstimate(plan.error_rate_ppm / 1e6, plan.uncertainty_permille / 1000)
    checks = np.unpackbits(differences.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    degrees, first, second = parities_of_key_bits(block.code, block.layout)
    sums = np.where(first == second, checks[:, first], checks[:, first] ^ checks[:, second])
    odd = sums.sum(axis=0, dtype=np.int64)
    return combine(planned, estimate_from_checks(degrees, odd, differences.shape[0]))


_spare: list[tuple[QuasiCyclicCode, Decoder, CompiledDecoder]] = []
_MAX_SPARE = 2


@contextmanager
def _borrowed(code: QuasiCyclicCode, decoder: Decoder) -> Iterator[CompiledDecoder]:
    """Lend a compiled decoder that was used lately, if one fits and no other thread has it, else a new one."""
    lent = None
    for entry in list(_spare):
        if entry[0] is code and entry[1] is decoder:
            with suppress(ValueError):
                _spare.remove(entry)
                lent = entry
                break
    if lent is None:
        lent = (code, decoder, decoder.compile(code))
    yield lent[2]
    _spare.append(lent)
    del _spare[:-_MAX_SPARE]
