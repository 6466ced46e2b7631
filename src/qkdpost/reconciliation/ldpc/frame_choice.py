"""Into frames of which length a block may be cut, how often these may be tried, and how many verdicts that makes.

Every answer of the corrector has a verdict on each frame of the block, and each is charged. A threshold that is set
before a block is seen must have room for all of them, whatever error rate the block turns out to have: plans keep to
`most_frames`, so that there is such a number.
"""

from __future__ import annotations

from functools import cache

from qkdpost.checks import whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc.codes import code_names, frame_bits_of, frame_lengths, syndrome_bits_of
from qkdpost.reconciliation.ldpc.disclosure import FIRST_WIDTHS

__all__ = [
    "EXTENSION_ROUNDS",
    "MAX_BLIND_ROUNDS",
    "blind_rounds_for",
    "frame_size",
    "has_few_frames",
    "most_frames",
    "most_verdict_bits",
    "offered_codes",
    "requests_for",
]

MAX_BLIND_ROUNDS = len(FIRST_WIDTHS) - 1
EXTENSION_ROUNDS = 2
"""How often key bits may be asked for, after the blind rounds."""

_FEW_FRAMES = 4
"""So few frames are decoded in no time: they are tried oftener."""
_MORE_FRAMES = 3
"""So many more than twice the frames that whole ones would be, at most."""


def frame_size(block_bits: int, frame_bits: int) -> int:
    """Return the length of the frames that a block gets whose link asks for `frame_bits`: shorter if it fills none.

    Raises:
        InputError: no code has frames of this length.
    """
    sizes = frame_lengths()
    frame_bits = whole_number("frame_bits", frame_bits, least=1)
    if frame_bits not in sizes:
        raise InputError(f"frame_bits of LDPC must be one of {list(sizes)}; found {frame_bits}")
    fitting = [size for size in sizes if size <= frame_bits and block_bits >= _least_block_bits(size)]
    return fitting[-1] if fitting else sizes[0]


@cache
def offered_codes(size: int) -> tuple[str, ...]:
    """Return the codes with frames of `size` bits, and those for the lowest error rates, which longer frames lack."""
    least = min(_checks_permille(name) for name in code_names() if frame_bits_of(name) == size)
    return tuple(
        name
        for name in code_names()
        if frame_bits_of(name) == size or (frame_bits_of(name) < size and _checks_permille(name) < least)
    )


def has_few_frames(block_bits: int, size: int) -> bool:
    """Return whether a block of so many bits has few frames of length `size`."""
    return block_bits <= _FEW_FRAMES * size


def blind_rounds_for(block_bits: int, size: int, asked: int) -> int:
    """Return how many blind rounds a block gets whose link asks for `asked`: twice as many if it has few frames."""
    return min(2 * asked, MAX_BLIND_ROUNDS) if has_few_frames(block_bits, size) else asked


def requests_for(blind_rounds: int) -> int:
    """Return how often the corrector may ask for more: in blind rounds, and twice besides, if there are any."""
    return blind_rounds + EXTENSION_ROUNDS if blind_rounds else 0


def most_frames(block_bits: int, code_bits: int) -> int:
    """Return into how many frames a block is cut, at most, by a code with frames of `code_bits` bits."""
    return 2 * -(-block_bits // code_bits) + _MORE_FRAMES


def most_verdict_bits(block_bits: int, *, frame_bits: int, blind_rounds: int) -> int:
    """Return how many verdicts on frames a block of at most `block_bits` bits can take, whatever its error rate.

    Args:
        block_bits: key bits of the block, 1 or more.
        frame_bits: as the link asks for.
        blind_rounds: as the link asks for.
    """
    # Shorter blocks may have more verdicts: shorter frames, tried oftener. Within each pair of these, longer ones have.
    most = 0
    sizes = [size for size in frame_lengths() if size <= frame_size(block_bits, frame_bits)]
    for size, longer in zip(sizes, [*sizes[1:], None], strict=True):
        longest = block_bits if longer is None else min(block_bits, _least_block_bits(longer) - 1)
        for length in (longest, min(longest, _FEW_FRAMES * size)):
            most = max(most, _verdict_bits(length, size, blind_rounds))
    return most


def _verdict_bits(block_bits: int, size: int, asked: int) -> int:
    frames = max(most_frames(block_bits, frame_bits_of(name)) for name in offered_codes(size))
    return frames * (1 + requests_for(blind_rounds_for(block_bits, size, asked)))


def _least_block_bits(size: int) -> int:
    """Return from how many bits on a block gets frames of this length: such as fill two thirds of one."""
    return -(-2 * size // 3)


def _checks_permille(name: str) -> int:
    return 1000 * syndrome_bits_of(name) // frame_bits_of(name)
