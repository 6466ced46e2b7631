"""What passes between two hosts that make key of continuous outcomes. Bob measures, and his string is the reference.

Numbers in `bytes` are little-endian. What is long is sent in parts, so that no message is longer than `PART_BYTES`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from qkdpost.dialogue.message_fields import BlockNumber, Count, Octets32, Real

__all__ = [
    "PART_BYTES",
    "AnnouncedMoments",
    "DisclosedSymbols",
    "FrameFlags",
    "FrameRotations",
    "FrameSlices",
    "FrameSyndrome",
    "QuadratureChoices",
    "ReversePlan",
    "SymbolRequest",
]

PART_BYTES = 3 * 2**18
"""The longest content of one message; every link accepts messages of 2^20 bytes."""


class SymbolRequest(Struct, frozen=True, array_like=True, tag=20):
    """How many outcomes the reference holds, and the seed, drawn now, of the symbols that the corrector discloses."""

    block: BlockNumber
    symbols: Count
    seed: Octets32


class QuadratureChoices(Struct, frozen=True, array_like=True, tag=21):
    """Part of the quadratures that homodyne detection measured: one bit for each outcome, 0 for x and 1 for p."""

    block: BlockNumber
    part: Count
    choices: bytes


class DisclosedSymbols(Struct, frozen=True, array_like=True, tag=22):
    """Part of the symbols that the request chose, as float32; they make no key."""

    block: BlockNumber
    part: Count
    symbols: bytes


class ReversePlan(Struct, frozen=True, array_like=True, tag=23):
    """How frames will be corrected, all of it from the disclosed symbols, and fixed before a frame is disclosed.

    `plan` is that of the method of correction: codes, and how outcomes become bits. `gain` and `noise_variance` are
    those of the whitened outcomes, in the unit of the symbols; they scale log-likelihoods and say nothing about
    security. `centre` and `matrix` are the whitening.
    """

    block: BlockNumber
    plan: Annotated[bytes, Meta(max_length=256)]
    gain: Real
    noise_variance: Real
    centre: tuple[Real, Real]
    matrix: tuple[Real, Real, Real, Real]


class FrameRotations(Struct, frozen=True, array_like=True, tag=24):
    """Part of the rotations and norms of a frame: what takes the reference's outcomes to its secret bits."""

    block: BlockNumber
    frame: Count
    part: Count
    data: bytes


class FrameSyndrome(Struct, frozen=True, array_like=True, tag=25):
    """Bits of a frame that the reference discloses: its syndrome, one more part of that, or all bits of it.

    `step` counts up from 0, the base syndrome; the step after the last increment discloses the whole frame.
    """

    block: BlockNumber
    frame: Count
    step: Count
    data: bytes


class FrameSlices(Struct, frozen=True, array_like=True, tag=28):
    """What the reference says first of a frame whose outcomes it sliced: places, turns, and syndromes of labels."""

    block: BlockNumber
    frame: Count
    data: bytes


class FrameFlags(Struct, frozen=True, array_like=True, tag=26):
    """The corrector's verdict on each frame of a batch that is still open: one bit, 1 for a frame that is well."""

    block: BlockNumber
    first_frame: Count
    step: Count
    flags: bytes


class AnnouncedMoments(Struct, frozen=True, array_like=True, tag=27):
    """Sums over outcomes, for the bound: the corrector's over all symbols, the reference's over its calibration."""

    block: BlockNumber
    counts: Annotated[tuple[Count, ...], Meta(max_length=4)]
    sums: Annotated[tuple[Real, ...], Meta(max_length=64)]
