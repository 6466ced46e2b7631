"""How much of a frame must be disclosed, in integers alone: the waterfalls of the codes, as measured.

A code's *waterfall* is kept in the manifest as the efficiency at which half of the frames fail and the width of a
normal law around it, both in parts per million: what a frame needs disclosed follows that law.
"""

from __future__ import annotations

from math import isqrt

from qkdpost.reconciliation.ldpc.codes import frame_bits_of, manifest, puncturable_bits_of

__all__ = [
    "FAILURE_WIDTHS",
    "FIRST_WIDTHS",
    "PUNCTURING_LOSS_PERMILLE",
    "disclosed_bits",
    "needed_bits",
    "waterfall_ppm",
]

FAILURE_WIDTHS = {900: -1282, 700: -524, 500: 0, 300: 524, 200: 842, 100: 1282, 30: 1881, 10: 2326, 1: 3090}
"""Frame failures in a thousand, and how many thousandths of the law's width above its middle they lie."""

FIRST_WIDTHS = (
    3090, 690, -50, -456, -728, -930, -1089, -1219, -1329, -1424, -1507, -1581, -1647, -1707, -1762, -1813, -1860,
)  # fmt: skip
"""Where to disclose first so that least is disclosed in all, for 0, 1, ... blind rounds of which the last ends at 3.09
widths; in thousandths of the width, as `qkdpost.reconciliation.ldpc.blind_rounds.next_width` has it."""

PUNCTURING_LOSS_PERMILLE = 60
"""By how much more a frame needs disclosed if all its checks' worth of bits were punctured, as measured of a fifth."""

_SHORTENING_GAIN_PERMILLE = 50
"""By how much the middle of the waterfall falls for a frame that were all shortened."""


def waterfall_ppm(name: str, decoder: str, key_bits: int) -> tuple[int, int]:
    """Return middle and width of a code's waterfall for frames with `key_bits` bits of key.

    What is measured of whole frames is carried over by the law of large numbers: fewer bits, wider, by up to four. The
    middle falls as bits are shortened, towards that of codes of lower rate.
    """
    waterfalls = manifest()["codes"][name]["waterfall"]
    middle, width = map(int, waterfalls.get(decoder, waterfalls["fast"]))
    length = frame_bits_of(name)
    shortened = max(0, length - key_bits - puncturable_bits_of(name))
    middle -= middle * _SHORTENING_GAIN_PERMILLE * shortened // (1000 * length)
    return middle, min(isqrt(width * width * length // key_bits), 4 * width)


def disclosed_bits(need_bits: int, syndrome_bits: int) -> int:
    """Return what must be disclosed, puncturing counted in, where `need_bits` would do without.

    It is the x with x = need (1 + loss (m - x) / m).
    """
    loss = PUNCTURING_LOSS_PERMILLE
    return need_bits * (1000 + loss) * syndrome_bits // (1000 * syndrome_bits + loss * need_bits)


def needed_bits(disclosed: int, syndrome_bits: int) -> int:
    """Return the need that so much disclosed, puncturing counted in, would serve: the inverse of `disclosed_bits`."""
    loss = PUNCTURING_LOSS_PERMILLE
    return disclosed * 1000 * syndrome_bits // (1000 * syndrome_bits + loss * (syndrome_bits - disclosed))
