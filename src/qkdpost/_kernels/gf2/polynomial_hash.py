"""The polynomial hash over GF(2^128): h <- (h + block) r for each block of 128 bits, four lanes side by side.

Lane t takes every fourth block. Eight blocks of a lane are multiplied by eight powers of r^4 and reduced together.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.packing import copy_bits
from qkdpost._kernels.gf2.clmul_lanes import (
    Lanes,
    broadcast,
    broadcast_lane,
    load,
    multiply_high,
    multiply_low,
    store,
    swap_words,
    xor,
)
from qkdpost._kernels.gf2.field import multiply, reduced_sum
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["TABLE_WORDS", "VECTOR_OCTETS", "absorb", "absorb_octets", "frame_tags", "multiply_elements", "power_table"]

Words: TypeAlias = NDArray[np.uint64]
Octets: TypeAlias = NDArray[np.uint8]

GROUP = 8
"""Vectors of four blocks between two reductions."""
TABLE_WORDS = 8 + 2 * GROUP
"""Words of a table of powers: r^4, r^3, r^2, r, then r^4, r^8 ... r^(4 GROUP)."""
VECTOR_OCTETS = 64
"""Octets of a vector: four blocks, one for each lane."""


@kernel
def power_table(key: Words, table: Words) -> None:
    """Write the powers of the element in the two words of `key` to the TABLE_WORDS words of `table`."""
    power = np.empty(8, np.uint64)
    root = broadcast_lane(key, 0)
    current = root
    for exponent in range(1, 5):
        store(power, 0, current)
        table[8 - 2 * exponent] = power[0]
        table[9 - 2 * exponent] = power[1]
        current = multiply(current, root)
    fourth = broadcast_lane(table, 0)
    current = fourth
    for index in range(GROUP):
        store(power, 0, current)
        table[8 + 2 * index] = power[0]
        table[9 + 2 * index] = power[1]
        current = multiply(current, fourth)


@kernel
def absorb(state: Words, table: Words, words: Words, blocks: int) -> None:
    """Replace the hash in the two words of `state` by what it is after `blocks` blocks of `words`."""
    done = 0
    if blocks >= 4:
        _absorb_vectors(state, table, words, blocks >> 2)
        done = blocks & ~3
    root = broadcast_lane(table, 6)
    for block in range(done, blocks):
        low = state[0] ^ words[2 * block]
        high = state[1] ^ words[2 * block + 1]
        _keep_first(multiply(broadcast(low, high), root), state)


@kernel
def absorb_octets(state: Words, table: Words, octets: Octets, vectors: int) -> None:
    """As `absorb`, of the blocks in the first `vectors` times VECTOR_OCTETS of `octets`, wherever these lie."""
    if vectors > 0:
        _absorb_vectors(state, table, octets, vectors)


@kernel
def _absorb_vectors(state: Words, table: Words, words: Words | Octets, vectors: int) -> None:
    """Replace the hash in `state` by what it is after some vectors, one at least."""
    buffer = np.zeros(8, np.uint64)
    buffer[0] = state[0]
    buffer[1] = state[1]
    total = _sum_vectors(xor(load(buffer, 0), load(words, 0)), table, words, vectors)
    _fold(multiply(total, load(table, 0)), buffer, state)


@kernel
def _sum_vectors(total: Lanes, table: Words, words: Words | Octets, vectors: int) -> Lanes:
    """Return total <- total r^4 + vector for vectors 1 ... of `words`, `total` having taken in vector 0."""
    width = VECTOR_OCTETS // words.itemsize
    vector = 1
    while vector + GROUP <= vectors:
        last = load(words, width * (vector + GROUP - 1))
        total = xor(_multiply_group(total, table, words, width * vector, width), last)
        vector += GROUP
    fourth = broadcast_lane(table, 8)
    while vector < vectors:
        total = xor(multiply(total, fourth), load(words, width * vector))
        vector += 1
    return total


@kernel
def _multiply_group(total: Lanes, table: Words, words: Words | Octets, position: int, width: int) -> Lanes:
    """Return total r^(4 GROUP) + the first GROUP - 1 vectors of `width` from `position` times the powers below."""
    power = broadcast_lane(table, 6 + 2 * GROUP)
    low = multiply_low(total, power)
    high = multiply_high(total, power)
    middle = multiply_low(xor(total, swap_words(total)), xor(power, swap_words(power)))
    for index in range(GROUP - 1):
        power = broadcast_lane(table, 4 + 2 * (GROUP - index))
        value = load(words, position + width * index)
        low = xor(low, multiply_low(value, power))
        high = xor(high, multiply_high(value, power))
        middle = xor(middle, multiply_low(xor(value, swap_words(value)), xor(power, swap_words(power))))
    return reduced_sum(low, middle, high)


@kernel
def _fold(lanes: Lanes, buffer: Words, state: Words) -> None:
    """Write the sum of the four lanes to `state`."""
    store(buffer, 0, lanes)
    state[0] = buffer[0] ^ buffer[2] ^ buffer[4] ^ buffer[6]
    state[1] = buffer[1] ^ buffer[3] ^ buffer[5] ^ buffer[7]


@kernel
def _keep_first(lanes: Lanes, state: Words) -> None:
    """Write the first lane to `state`."""
    buffer = np.empty(8, np.uint64)
    store(buffer, 0, lanes)
    state[0] = buffer[0]
    state[1] = buffer[1]


@kernel
def multiply_elements(first: Words, second: Words) -> None:
    """Replace the element in the two words of `first` by its product with that in `second`."""
    _keep_first(multiply(broadcast(first[0], first[1]), broadcast(second[0], second[1])), first)


@kernel
def frame_tags(
    words: Words,
    length: int,
    frame_bits: int,
    table: Words,
    scale: Words,
    tag_bits: int,
    frame: Words,
    output: Words,
) -> None:
    """Write the tag of each frame of `frame_bits` bits of `words`, one after another, to zeroed `output`.

    The tag is the lowest `tag_bits` bits of (hash of the frame's blocks and of its length) times `scale`.

    Args:
        words: the bits; the last frame may be shorter than the others.
        length: how many bits, at least 1.
        frame_bits: bits of a frame, at least 1.
        table: the powers of the hash's key.
        scale: an element, two words.
        tag_bits: bits of a tag, 1 ... 128.
        frame: scratch of 2 ceil(frame_bits / 128) + 2 words.
        output: ceil(frames tag_bits / 64) words.
    """
    state = np.empty(2, np.uint64)
    frames = (length + frame_bits - 1) // frame_bits
    for index in range(frames):
        start = index * frame_bits
        bits = min(frame_bits, length - start)
        blocks = (bits + 127) >> 7
        copy_bits(words, start, frame[: 2 * blocks])
        _clear_above(frame, bits, blocks)
        frame[2 * blocks] = np.uint64(bits)
        frame[2 * blocks + 1] = np.uint64(0)
        state[:] = np.uint64(0)
        absorb(state, table, frame, blocks + 1)
        multiply_elements(state, scale)
        _append(output, index * tag_bits, state[0], min(tag_bits, 64))
        if tag_bits > 64:
            _append(output, index * tag_bits + 64, state[1], tag_bits - 64)


@kernel
def _clear_above(frame: Words, bits: int, blocks: int) -> None:
    """Clear the bits of `blocks` blocks from bit `bits` on."""
    first = bits >> 6
    if first < 2 * blocks:
        frame[first] &= (np.uint64(1) << np.uint64(bits & 63)) - np.uint64(1)
        for index in range(first + 1, 2 * blocks):
            frame[index] = np.uint64(0)


@kernel
def _append(output: Words, position: int, word: np.uint64, bits: int) -> None:
    """Write the lowest `bits` bits of `word`, 1 ... 64, to zeroed `output` from bit `position` on."""
    if bits < 64:
        word &= (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    place = np.uint64(position & 63)
    index = position >> 6
    output[index] |= word << place
    if (position & 63) + bits > 64:
        output[index + 1] |= word >> (np.uint64(64) - place)


def warm() -> None:
    """Compile every kernel of this file and those below it."""
    key = np.zeros(2, dtype=np.uint64)
    table = np.zeros(TABLE_WORDS, dtype=np.uint64)
    words = np.zeros(2, dtype=np.uint64)
    power_table(key, table)
    absorb(key, table, words, 1)
    absorb_octets(key, table, np.frombuffer(bytes(VECTOR_OCTETS), dtype=np.uint8), 1)
    words.flags.writeable = False
    frame_tags(words, 1, 1, table, key, 1, np.zeros(4, dtype=np.uint64), np.zeros(1, dtype=np.uint64))
