"""LDPC reconciliation between two hosts: syndromes of a whole block in one message, then at most a few blind rounds.

The block's bits are dealt to the frames in turn, so that a burst of errors is shared out, and within each frame they
lie in the order of a shared permutation. The reference sends every frame's syndrome. The corrector decodes and answers
which frames failed. For these the reference reveals some of the punctured bits, and so on, as often as the plan says.

Both sides run in step, as in Cascade: in every round each yields what it sends, often nothing, and is sent the peer's.
The lengths of all messages are known before. What is disclosed of a frame is its syndrome less its punctured bits, plus
those of them that were revealed later; a frame that failed in the end has disclosed that too. With blind rounds the
conversation is two-way, see `qkdpost.leakage`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.syndromes import compute_syndromes, flip_errors, gather_frames
from qkdpost.bits import Bits, concatenate
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.reconciliation.ldpc_codes import QuasiCyclicCode, load_code
from qkdpost.reconciliation.ldpc_decoders import DECODERS, CompiledDecoder, Decoder
from qkdpost.reconciliation.ldpc_layout import FrameLayout, frame_layout, mask_of
from qkdpost.reconciliation.rate_adaptation import LdpcPlan
from qkdpost.shared_random import permutation, random_words

__all__ = ["LdpcOutcome", "RandomSource", "block_mask", "ldpc_corrector", "ldpc_reference"]

RandomSource = Callable[[int], bytes]
"""Returns as many fresh secret bytes as asked, as `secrets.token_bytes` does."""

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LdpcOutcome:
    """What one side ends with.

    Attributes:
        bits: the corrector's corrected bits, or the reference's as they were; secret. Frames that failed are as they
            were on both sides.
        failed_frames: one bit for each frame, 1 where no word was found; public.
        leakage_bits: disclosed by the reference: syndromes less punctured bits, plus revealed bits.
        revealed_bits: the part of `leakage_bits` that blind rounds disclosed.
        verdict_bits: bits that the corrector sent: which frames failed.
        rounds: exchanges, of which each side counts the same.
        corrected_bits: errors found; the reference does not know, and has 0.
        iterations: of the decoder for each frame, all attempts together, int32; empty on the reference.
    """

    bits: Bits = field(repr=False)
    failed_frames: Bits
    leakage_bits: int
    revealed_bits: int
    verdict_bits: int
    rounds: int
    corrected_bits: int
    iterations: NDArray[np.int32] = field(repr=False)


class _Block:
    """What both sides share: code, layout and the deal of bits to frames."""

    def __init__(self, bits: Bits, plan: LdpcPlan, seed: bytes) -> None:
        if len(bits) != plan.block_bits:
            raise InputError(f"the plan is for {plan.block_bits} bits, found {len(bits)}")
        self.bits, self.plan = bits, plan
        self.code: QuasiCyclicCode = load_code(plan.code)
        self.layout: FrameLayout = frame_layout(plan.code, plan.punctured_bits, plan.shortened_bits)
        self.order = permutation(seed, b"ldpc order", plan.key_bits)
        self.frames = np.zeros((plan.frames, self.code.frame_bits // 64), dtype=np.uint64)
        self.rounds = self.revealed_bits = self.verdict_bits = 0
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

    def reveal_places(self, attempt: int) -> NDArray[np.uint32]:
        """Return the places revealed after attempt number `attempt`, counted from 0."""
        step = self.plan.revealed_bits
        return self.layout.punctured[attempt * step : (attempt + 1) * step]

    def outcome(self, bits: Bits, failed: Bits, corrected: int, iterations: NDArray[np.int32]) -> LdpcOutcome:
        return LdpcOutcome(
            bits=bits,
            failed_frames=failed,
            leakage_bits=self.plan.first_leakage_bits + self.revealed_bits,
            revealed_bits=self.revealed_bits,
            verdict_bits=self.verdict_bits,
            rounds=self.rounds,
            corrected_bits=corrected,
            iterations=iterations,
        )


def ldpc_reference(
    bits: Bits, *, plan: LdpcPlan, seed: bytes, random_source: RandomSource
) -> Generator[Bits, Bits, LdpcOutcome]:
    """Run the side whose bits are kept: yield what to send in each round, be sent the peer's, return the outcome.

    Args:
        bits: the block; secret.
        plan: the same on both hosts.
        seed: 32 bytes, the same on both hosts, drawn after the quantum phase; may be public.
        random_source: of the punctured bits: fresh, secret, uniform; `secrets.token_bytes` will do.

    Raises:
        InputError: the block is of another length than the plan's, or the seed of another than 32.
        RemoteProtocolError: the peer's message has another length than it must.
    """
    block = _Block(bits, plan, seed)
    punctured = plan.frames * plan.punctured_bits
    drawn = np.frombuffer(random_source(8 * ((punctured + 63) // 64)), dtype="<u8").astype(np.uint64)
    if drawn.size != (punctured + 63) // 64:
        raise InputError("random_source returned another number of bytes than asked")
    block.fill(block.layout.punctured, drawn)
    message = Bits(block.syndromes(block.frames).reshape(-1), plan.frames * plan.syndrome_bits)
    for attempt in range(plan.blind_rounds + 1):
        yield from _exchange(block, message, 0)
        failed = yield from _exchange(block, Bits.zeros(0), plan.frames)
        block.verdict_bits += plan.frames
        if attempt == plan.blind_rounds or not failed.weight():
            break
        message = _revealed(block, failed, attempt)
        block.revealed_bits += len(message)
    return block.outcome(bits, failed, 0, np.zeros(0, dtype=np.int32))


def ldpc_corrector(
    bits: Bits, *, plan: LdpcPlan, seed: bytes, decoder: str = "fast"
) -> Generator[Bits, Bits, LdpcOutcome]:
    """Run the side that corrects its bits; arguments and errors as for `ldpc_reference`.

    Args:
        bits: the block with errors; secret.
        plan: the same on both hosts.
        seed: the same on both hosts.
        decoder: a key of `DECODERS`; the peer need not know.
    """
    block = _Block(bits, plan, seed)
    if decoder not in DECODERS:
        raise InputError(f"there is no decoder {decoder!r}; there are {sorted(DECODERS)}")
    search = _Search(block, DECODERS[decoder])
    expected = plan.frames * plan.syndrome_bits
    for attempt in range(plan.blind_rounds + 1):
        message = yield from _exchange(block, Bits.zeros(0), expected)
        if attempt == 0:
            search.start(message)
        else:
            search.add_revealed(message, block.reveal_places(attempt - 1))
            block.revealed_bits += len(message)
        search.decode()
        failed = Bits.from_array(~search.found)
        yield from _exchange(block, failed, 0)
        block.verdict_bits += plan.frames
        expected = failed.weight() * plan.revealed_bits
        if attempt == plan.blind_rounds or not failed.weight():
            break
    corrected, count = search.corrected()
    return block.outcome(corrected, failed, count, search.iterations)


class _Search:
    """The corrector's side of the search for error patterns."""

    def __init__(self, block: _Block, decoder: Decoder) -> None:
        frames = block.plan.frames
        self._block, self._decoder = block, decoder
        self._unknown = mask_of(block.layout.punctured, block.code.frame_bits)
        self._known = mask_of(block.layout.shortened, block.code.frame_bits)
        self._received: Words = np.zeros(0, dtype=np.uint64)
        self._errors = np.zeros_like(block.frames)
        self.found = np.zeros(frames, dtype=np.bool_)
        self.iterations = np.zeros(frames, dtype=np.int32)

    def start(self, syndromes: Bits) -> None:
        """Take the reference's syndromes."""
        self._received = syndromes.words.reshape(self._block.plan.frames, -1)

    def add_revealed(self, revealed: Bits, places: NDArray[np.uint32]) -> None:
        """Write revealed bits into the frames not yet found."""
        for number, frame in enumerate(np.flatnonzero(~self.found)):
            bits = np.asarray(revealed[number * places.size : (number + 1) * places.size], dtype=np.uint64)
            words, shifts = places >> 6, (places & 63).astype(np.uint64)
            np.bitwise_or.at(self._block.frames[frame], words, bits << shifts)
        mask = mask_of(places, self._block.code.frame_bits)
        self._known ^= mask
        self._unknown ^= mask

    def decode(self) -> None:
        """Look again for the patterns of all frames not yet found."""
        wanted = np.flatnonzero(~self.found)
        syndromes = self._received[wanted] ^ self._block.syndromes(self._block.frames[wanted])
        rate = self._block.plan.error_rate_ppm
        with _borrowed(self._block.code, self._decoder) as compiled:
            decoded = compiled.decode(syndromes, error_rate_ppm=rate, known=self._known, unknown=self._unknown)
        self._errors[wanted] = decoded.errors
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


def _exchange(block: _Block, message: Bits, expected: int) -> Generator[Bits, Bits, Bits]:
    """Send one message and take the peer's, which must have `expected` bits."""
    answer = yield message
    if len(answer) != expected:
        raise RemoteProtocolError(f"the peer was to send {expected} bits in this round and sent {len(answer)}")
    block.rounds += 1
    return answer


def _revealed(block: _Block, failed: Bits, attempt: int) -> Bits:
    """Return the punctured bits to reveal of each failed frame, one frame after another."""
    places = block.reveal_places(attempt)
    length = block.code.frame_bits
    return concatenate(Bits(block.frames[frame], length).take(places) for frame in np.flatnonzero(np.asarray(failed)))


_spare: list[tuple[QuasiCyclicCode, Decoder, CompiledDecoder]] = []


@contextmanager
def _borrowed(code: QuasiCyclicCode, decoder: Decoder) -> Iterator[CompiledDecoder]:
    """Lend the compiled decoder that was used last, if it fits and no other thread has it, else a new one."""
    try:
        spare = _spare.pop()
    except IndexError:
        spare = None
    if spare is None or spare[0] is not code or spare[1] is not decoder:
        spare = (code, decoder, decoder.compile(code))
    yield spare[2]
    if not _spare:
        _spare.append(spare)
