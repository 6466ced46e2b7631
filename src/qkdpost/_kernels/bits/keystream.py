"""The keystream of ChaCha20 (RFC 8439, sections 2.1 to 2.4), in 32-bit words.

Sixteen blocks are made side by side, one in each lane, so that every step is one of vectors: two to four registers of
each word. A pair of rounds is one pass over the lanes; that is as much as the registers hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import inlined_kernel, kernel

__all__ = ["BLOCK_WORDS", "COUNTER", "GROUP_WORDS", "fill_keystream", "warm"]

Words = NDArray[np.uint32]
Four = tuple[np.uint32, np.uint32, np.uint32, np.uint32]

BLOCK_WORDS = 16
LANES = 16
GROUP_WORDS = BLOCK_WORDS * LANES
ROUND_PAIRS = 10
COUNTER = 12
"""The place of the block's number in the state; before it stand constants and key, behind it the nonce."""


@inlined_kernel
def rotated(word: np.uint32, left: int) -> np.uint32:
    """Return a word rotated to the left."""
    return np.uint32(np.uint32(word << np.uint32(left)) | np.uint32(word >> np.uint32(32 - left)))


@inlined_kernel
def quarter_round(a: np.uint32, b: np.uint32, c: np.uint32, d: np.uint32) -> Four:
    """Return four words of a state, mixed (RFC 8439, 2.1)."""
    a = np.uint32(a + b)
    d = rotated(np.uint32(d ^ a), 16)
    c = np.uint32(c + d)
    b = rotated(np.uint32(b ^ c), 12)
    a = np.uint32(a + b)
    d = rotated(np.uint32(d ^ a), 8)
    c = np.uint32(c + d)
    b = rotated(np.uint32(b ^ c), 7)
    return a, b, c, d


@inlined_kernel
def mix(s: NDArray[np.uint32]) -> None:
    """Take the state in each lane through a round of columns and one of diagonals (RFC 8439, 2.3)."""
    for i in range(LANES):
        s0, s4, s8, s12 = quarter_round(s[0, i], s[4, i], s[8, i], s[12, i])
        s1, s5, s9, s13 = quarter_round(s[1, i], s[5, i], s[9, i], s[13, i])
        s2, s6, s10, s14 = quarter_round(s[2, i], s[6, i], s[10, i], s[14, i])
        s3, s7, s11, s15 = quarter_round(s[3, i], s[7, i], s[11, i], s[15, i])
        s[0, i], s[5, i], s[10, i], s[15, i] = quarter_round(s0, s5, s10, s15)
        s[1, i], s[6, i], s[11, i], s[12, i] = quarter_round(s1, s6, s11, s12)
        s[2, i], s[7, i], s[8, i], s[13, i] = quarter_round(s2, s7, s8, s13)
        s[3, i], s[4, i], s[9, i], s[14, i] = quarter_round(s3, s4, s9, s14)


@inlined_kernel
def start(state: Words, block: int, first: Words, states: Words) -> None:
    """Set the state in each lane, twice: the given one, its counter moved on."""
    for word in range(BLOCK_WORDS):
        for lane in range(LANES):
            moved = np.uint32(block + lane) if word == COUNTER else np.uint32(0)
            first[word, lane] = np.uint32(state[word] + moved)
            states[word, lane] = first[word, lane]


@kernel
def fill_keystream(state: Words, output: Words) -> None:
    """Write the words of consecutive blocks, those of a block in their order.

    Args:
        state: the 16 words of the first block's state: constants, key, counter, nonce. The counter wraps at 2^32.
        output: written whole; a multiple of `GROUP_WORDS`.
    """
    first, states = np.empty((BLOCK_WORDS, LANES), dtype=np.uint32), np.empty((BLOCK_WORDS, LANES), dtype=np.uint32)
    for base in range(0, output.size, GROUP_WORDS):
        start(state, base // BLOCK_WORDS, first, states)
        for _ in range(ROUND_PAIRS):
            mix(states)
        for word in range(BLOCK_WORDS):
            for lane in range(LANES):
                states[word, lane] = np.uint32(states[word, lane] + first[word, lane])
        for lane in range(LANES):
            for word in range(BLOCK_WORDS):
                output[base + BLOCK_WORDS * lane + word] = states[word, lane]


def warm() -> None:
    """Compile every kernel of this file."""
    fill_keystream(np.zeros(BLOCK_WORDS, dtype=np.uint32), np.empty(GROUP_WORDS, dtype=np.uint32))
