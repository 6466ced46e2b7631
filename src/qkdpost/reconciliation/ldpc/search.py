"""The corrector's search for error patterns: which frames to decode, over which channel, and how much to ask for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.ldpc.syndromes import collect_checks, flip_errors, take_shown
from qkdpost.bits import Bits
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.ldpc.blind_rounds import NeedLaw, need_law, wanted_bits, worth_trying
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode
from qkdpost.reconciliation.ldpc.dealt_block import DealtBlock
from qkdpost.reconciliation.ldpc.decoders import DECODERS, CompiledDecoder, Decoder
from qkdpost.reconciliation.ldpc.extension import wanted_extension
from qkdpost.reconciliation.ldpc.frame_layout import FrameLayout, mask_of
from qkdpost.reconciliation.ldpc.syndrome_rate import CheckCounts, RateEstimate, parities_of_key_bits, revised_rate
from qkdpost.threads import in_pieces, threads_at_work

__all__ = ["Search"]

Words = NDArray[np.uint64]

_FRAMES_TO_COUNT = 64
"""Frames whose syndromes are looked at to find the error rate: as many as a word has bits."""
_SURE = 0.02
"""A relative uncertainty of the error rate below which revealed bits need not be asked about it."""
_BITS_WORTH_A_THREAD = 1 << 16
"""Bits of all frames of a piece, some hundred microseconds of work: it wants a decoder of its own."""


class Search:
    """The corrector's side of the search for error patterns."""

    def __init__(self, block: DealtBlock, decoder: str, syndromes: Bits) -> None:
        frames = block.plan.frames
        self._block, self._decoder = block, DECODERS[decoder]
        self._unknown = mask_of(block.layout.punctured, block.code.frame_bits)
        self._known = mask_of(block.layout.shortened, block.code.frame_bits)
        self._received: Words = syndromes.words.reshape(frames, -1)
        self._errors = np.zeros_like(block.frames)
        self._shown_errors = np.zeros_like(block.frames)
        self.found = np.zeros(frames, dtype=np.bool_)
        self.iterations = np.zeros(frames, dtype=np.int32)
        self._name = decoder
        self._rate: RateEstimate
        self._law: NeedLaw
        self._learn_rate()

    def _learn_rate(self) -> None:
        """Estimate the error rate of the frames not yet found from the plan and from their syndromes."""
        block, plan = self._block, self._block.plan
        counted = np.flatnonzero(~self.found)[:_FRAMES_TO_COUNT]
        planned = RateEstimate(plan.error_rate_ppm / 1e6, plan.uncertainty_permille / 1000)
        self._rate = revised_rate(planned, _counts(block.code, block.hidden_layout(), self._differences(counted)))
        self._law = need_law(plan, self._name, self._rate)

    def _differences(self, wanted: NDArray[np.int64]) -> Words:
        """Return the syndromes of the error patterns sought in some frames."""
        return self._received[wanted] ^ self._block.syndromes(self._block.frames[wanted])

    def attempt(self, requests_left: int) -> tuple[Bits, int]:
        """Decode if it is worth while; return the frames not yet found, and how many bits to ask of each."""
        block, plan = self._block, self._block.plan
        blind_left = max(0, requests_left + plan.blind_rounds - plan.requests) if block.hidden_punctured else 0
        disclosed = plan.syndrome_bits - block.hidden_punctured
        law = self._law.shown(block.shown_key_bits / plan.key_bits)
        tried = worth_trying(plan, law, disclosed, blind_left)
        if tried:
            self._decode(self._decoder)
        if tried and not blind_left:
            self._rescue()
        failed = Bits.from_array(~self.found)
        if self.found.all():
            return failed, 0
        if blind_left:
            return failed, wanted_bits(plan, law, disclosed, blind_left, tried)
        return failed, wanted_extension(plan, self._law, block.hidden, requests_left)

    def add_revealed(self, revealed: Bits, places: NDArray[np.uint32]) -> None:
        """Write revealed bits into the frames not yet found, and note which own key bits they show to be wrong."""
        block, wanted = self._block, np.flatnonzero(~self.found)
        take_shown(revealed.words, wanted, places, self._unknown.words, block.frames, self._shown_errors)
        mask = mask_of(places, block.code.frame_bits)
        self._known ^= mask
        self._unknown &= ~mask
        if self._rate.uncertainty > _SURE:
            self._learn_rate()

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
        spare = _MAX_SPARE * threads_at_work()

        def decode(first: int, end: int) -> None:
            with _borrowed(self._block.code, decoder, spare=spare) as compiled:
                decoded = compiled.decode(syndromes[first:end], channel)
            frames = wanted[first:end]
            self._errors[frames] = decoded.words
            self.found[frames] = decoded.converged
            self.iterations[frames] += decoded.iterations

        in_pieces(decode, wanted.size, _BITS_WORTH_A_THREAD // self._block.code.frame_bits)

    def corrected(self) -> tuple[Bits, int]:
        """Return the block with the errors of all found frames flipped, and how many those were."""
        block = self._block
        words = block.bits.words.copy()
        places = np.full(block.code.frame_bits, -1, dtype=np.int64)
        places[block.layout.key] = np.arange(block.layout.key.size)
        wanted = self.found.astype(np.uint8)
        errors = self._errors | self._shown_errors
        count = flip_errors(errors, wanted, block.order, places, len(block.bits), words)
        return Bits(words, len(block.bits)), int(count)


def _counts(code: QuasiCyclicCode, layout: FrameLayout, differences: Words) -> CheckCounts:
    """Return what the syndromes of some frames' error patterns show."""
    checks = np.empty(64 * differences.shape[1], dtype=np.uint64)
    collect_checks(differences, checks)
    degrees, first, second = parities_of_key_bits(code, layout)
    sums = checks[first] ^ np.where(first == second, np.uint64(0), checks[second])
    return CheckCounts(degrees, np.bitwise_count(sums).astype(np.int64), differences.shape[0])


_spare: list[tuple[QuasiCyclicCode, Decoder, CompiledDecoder]] = []
_MAX_SPARE = 2
"""Compiled decoders that are kept for later, for each thread at work."""


@contextmanager
def _borrowed(code: QuasiCyclicCode, decoder: Decoder, spare: int) -> Iterator[CompiledDecoder]:
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
    del _spare[:-spare]
