"""How well detections agree with disclosed pulses at an offset, and at which offset they agree best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, next_fast_len
from scipy.special import bdtrc

from qkdpost.sifting.pulse_numbering.pattern import AlignmentPattern

__all__ = ["MAX_FALSE_ALIGNMENT", "NumberedRecord", "agreement", "best_offsets", "chance_of"]

MAX_FALSE_ALIGNMENT = 1e-12
"""How probably records that have nothing to do with each other are aligned at most, counted over all offsets tried."""
_BLOCK_OFFSETS = 2**17

NumberedRecord = tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]
"""The receiver's numbers of pulses, increasing, the bases, and the outcomes."""


def chance_of(compared: int, agreed: int, tried: int) -> float:
    """Return how probably at least `agreed` of `compared` fair coins fall right, in one of `tried` trials at most."""
    if not agreed:
        return 1.0
    return min(1.0, tried * float(bdtrc(agreed - 1, compared, 0.5)))


def agreement(
    record: NumberedRecord,
    pattern: AlignmentPattern,
    offset: int,
    stretch: int | None = None,
) -> tuple[int, int]:
    """Return how many detections of disclosed pulses were made in their basis, and how many agree."""
    slots, bases, bits = record
    compared = agreed = 0
    for place, start in enumerate(pattern.starts):
        if stretch is not None and place != stretch:
            continue
        first, last = np.searchsorted(slots, [start - offset, start + pattern.length - offset])
        at = slots[first:last] + (offset - start + place * pattern.length)
        same = np.asarray(pattern.bases.take(at)) == bases[first:last]
        compared += int(same.sum())
        agreed += int((same & (np.asarray(pattern.bits.take(at)) == bits[first:last])).sum())
    return compared, agreed


def _symbols(bases: NDArray[np.uint8], bits: NDArray[np.uint8]) -> NDArray[np.complex64]:
    """Return +-1 for bits of the key basis and +-i for those of the test basis: products across bases are imaginary."""
    symbols: NDArray[np.complex64] = np.where(bases == 0, np.complex64(1), np.complex64(1j))
    symbols *= 1 - 2 * bits.astype(np.float32)
    return symbols


def best_offsets(record: NumberedRecord, pattern: AlignmentPattern, reach: int) -> tuple[int, int]:
    """Return the offset of most agreement over all stretches together, and that of most disagreement.

    Offsets near 0 are tried first, and no more once one agrees as chance would not in all of them.
    """
    slots, bases, bits = record
    seen = _symbols(bases, bits)
    size = next_fast_len(max(8 * pattern.length, _BLOCK_OFFSETS))
    lags = size - pattern.length + 1
    spectra = []
    for place in range(len(pattern.starts)):
        part = slice(place * pattern.length, (place + 1) * pattern.length)
        sent = _symbols(np.asarray(pattern.bases[part]), np.asarray(pattern.bits[part]))
        spectra.append(np.conj(fft(sent, size)))
    best = worst = (0.0, 0)
    for lowest in sorted(range(-reach, reach + 1, lags), key=lambda first: abs(first + lags // 2)):
        # At lag k of this block the receiver's pulse start + lowest + k is compared with the sender's pulse start.
        total = np.zeros(size, dtype=np.complex64)
        for start, spectrum in zip(pattern.starts, spectra, strict=True):
            first, last = np.searchsorted(slots, [start + lowest, start + lowest + size])
            dense = np.zeros(size, dtype=np.complex64)
            dense[slots[first:last] - (start + lowest)] = seen[first:last]
            total += fft(dense, overwrite_x=True) * spectrum
        scores = ifft(total, overwrite_x=True).real[: min(lags, reach - lowest + 1)]
        high, low = int(scores.argmax()), int(scores.argmin())
        worst = max(worst, (-float(scores[low]), -(lowest + low)))
        if float(scores[high]) > best[0]:
            best = float(scores[high]), -(lowest + high)
            if chance_of(*agreement(record, pattern, best[1]), 2 * reach + 1) <= MAX_FALSE_ALIGNMENT:
                break
    return best[1], worst[1]
