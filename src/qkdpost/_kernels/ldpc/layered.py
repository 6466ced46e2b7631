"""Layered belief propagation with corrected min-sum, one frame after another, a register of its checks side by side.

The code is quasi-cyclic: base row r holds the base edges row_starts[r] ... row_starts[r + 1] - 1, edge e joins bit
``edge_bits[e] + (i + edge_shifts[e]) % size`` to check ``r * size + i``, and `size` is a power of two, 64 or more.
What is sought is the error pattern that has the given syndrome.

The checks of a base row share no bit, so that a register of them is updated at once as if one after another. The memory
of a frame is small, and no frame waits for another: few frames are decoded as fast, each, as many.

A check combines the magnitudes of its messages pairwise,

    f(a, b) = min(a, b) - c(|a - b|) + c(a + b),

which is the exact combination ln((1 + exp(a + b)) / (exp(a) + exp(b))) with c(x) = ln(1 + exp(-x)) replaced by lines,
three in 8 bits and four in 16 bits (see `combine_magnitudes`). As in the approximation A-min* of Jones et al.
(MILCOM 2003) the edge of least magnitude is answered by all others, and every other edge by all edges.
Magnitudes inside a check are unsigned; messages and posteriors are signed and saturated. Where a posterior saturates,
the check is said to have answered what was left of its answer, so that a posterior stays the sum of the channel and of
the answers that are kept: else what is lost at the top would be taken away again when answers fall.

The posteriors lie as `qkdpost._kernels.ldpc.posteriors` says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import inlined_kernel, kernel, lean_kernel
from qkdpost._kernels.ldpc.frame_checks import is_hopeless, is_satisfied
from qkdpost._kernels.ldpc.lanes import (
    add_saturated,
    choose,
    combine_magnitudes,
    equal,
    exclusive_or,
    larger_unsigned,
    load_run,
    magnitude,
    negate_where,
    negative,
    registers_are_whole,
    smaller_unsigned,
    spread,
    store_run,
    subtract_saturated,
)
from qkdpost._kernels.ldpc.posteriors import (
    REGISTER_BYTES,
    decide,
    other_place_of,
    place_of,
    posterior_length,
    restart,
    write_posteriors,
)

__all__ = [
    "CORRECTION",
    "FEWER_PERMILLE",
    "FIRST_COUNT",
    "LIMITS",
    "MAX_ITERATIONS",
    "MAX_MAGNITUDE",
    "MAX_MISSED_PERMILLE",
    "decode_layered",
    "warm",
]

Words = NDArray[np.uint64]
Values = NDArray[Any]
Limits = NDArray[np.int64]

# The places of a decoder's limits, int64, shape (LIMITS,).
CORRECTION = 0
"""Where the line of slope 1 of a check's correction starts, in units."""
MAX_MAGNITUDE = 1
"""At which a check's messages are held, in units."""
MAX_ITERATIONS = 2
"""After which a frame is given up."""
FIRST_COUNT = 3
"""The age at which a frame's unsatisfied checks are first counted, to give it up earlier if they are too many:"""
MAX_MISSED_PERMILLE = 4
"""more than so many of a thousand checks at that age,"""
FEWER_PERMILLE = 5
"""and so many fewer for each iteration more."""
LIMITS = 6

_ITERATIONS_BETWEEN_COUNTS = 4


@inlined_kernel
def _hear(
    posterior: Values,
    start: np.uint64,
    messages: Values,
    kept: np.uint64,
    signs: Any,
    least: Any,
    combined: Any,
    slack: Any,
) -> tuple[Any, Any, Any]:
    """Take off the posteriors what a register of checks sent last over an edge; keep and combine what is left."""
    message = subtract_saturated(load_run(posterior, start), load_run(messages, kept))
    store_run(messages, kept, message)
    absolute = magnitude(message)
    combined = combine_magnitudes(combined, larger_unsigned(absolute, least), slack)
    return exclusive_or(signs, message), smaller_unsigned(absolute, least), combined


@inlined_kernel
def _answers(limits: Limits, posterior: Values, least: Any, combined: Any, slack: Any) -> tuple[Any, Any]:
    """Return the magnitudes with which the edge of least magnitude is answered, and all others."""
    largest = spread(posterior, limits[MAX_MAGNITUDE])
    whole = combine_magnitudes(combined, least, slack)
    return smaller_unsigned(largest, combined), smaller_unsigned(largest, whole)


@inlined_kernel
def _answer(messages: Values, kept: np.uint64, signs: Any, least: Any, of_least: Any, of_others: Any) -> Any:
    """Answer what was heard over an edge; keep the answer, and return the posteriors that it makes."""
    message = load_run(messages, kept)
    answer = choose(equal(magnitude(message), least), of_least, of_others)
    answer = negate_where(negative(exclusive_or(message, signs)), answer)
    total = add_saturated(message, answer)
    store_run(messages, kept, subtract_saturated(total, message))
    return total


@inlined_kernel
def _answer_edges(
    moves: Words,
    first_edge: np.uint64,
    degree: np.uint64,
    index: np.uint64,
    size: np.uint64,
    syndrome: np.uint64,
    limits: Limits,
    posterior: Values,
    messages: Values,
    first_message: np.uint64,
) -> None:
    """Update a register of checks of a base row, from number `index` on, and the posteriors that they touch.

    Args:
        moves: the words of the edges, as `qkdpost._kernels.ldpc.posteriors` says.
        first_edge: of the base row.
        degree: its edges.
        index: number of the first check within its row, a multiple of the lanes.
        size: bits of a block.
        syndrome: bit i is that of check `index` + i.
        limits: by the places above.
        posterior: log-likelihood ratios, positive for no error, as `posteriors` says.
        messages: those that the checks sent last, as far as they are kept.
        first_message: where those of these checks start, a register for each edge.
    """
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    last, step = size - np.uint64(1), size + lanes
    top = spread(posterior, -1)
    slack = spread(posterior, limits[CORRECTION])
    signs = choose(syndrome, top, spread(posterior, 0))
    least = combined = top
    for place in range(degree):
        move = moves[first_edge + place]
        start = place_of(move) + ((index + move) & last)
        signs, least, combined = _hear(
            posterior, start, messages, first_message + place * lanes, signs, least, combined, slack
        )
    of_least, of_others = _answers(limits, posterior, least, combined, slack)
    for place in range(degree):
        total = _answer(messages, first_message + place * lanes, signs, least, of_least, of_others)
        write_posteriors(posterior, other_place_of(moves[first_edge + place], step), index, size, total)


@inlined_kernel
def _answer_pair(
    moves: Words,
    first_edge: np.uint64,
    degree: np.uint64,
    index: np.uint64,
    size: np.uint64,
    syndromes: tuple[np.uint64, np.uint64],
    limits: Limits,
    posterior: Values,
    messages: Values,
    first_message: np.uint64,
) -> None:
    """Do what `_answer_edges` does for two registers of checks that follow each other, side by side.

    Each message is combined with what those before it made, and one works while the other waits for that. Where lanes
    take two registers or more they do so by themselves, and what two of them need does not fit.
    """
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    last, step = size - np.uint64(1), size + lanes
    top, zero = spread(posterior, -1), spread(posterior, 0)
    slack = spread(posterior, limits[CORRECTION])
    signs, next_signs = choose(syndromes[0], top, zero), choose(syndromes[1], top, zero)
    least = combined = next_least = next_combined = top
    behind = first_message + degree * lanes
    for place in range(degree):
        move = moves[first_edge + place]
        kept = place * lanes
        start = place_of(move) + ((index + move) & last)
        signs, least, combined = _hear(posterior, start, messages, first_message + kept, signs, least, combined, slack)
        start = place_of(move) + ((index + lanes + move) & last)
        next_signs, next_least, next_combined = _hear(
            posterior, start, messages, behind + kept, next_signs, next_least, next_combined, slack
        )
    of_least, of_others = _answers(limits, posterior, least, combined, slack)
    next_of_least, next_of_others = _answers(limits, posterior, next_least, next_combined, slack)
    for place in range(degree):
        start = other_place_of(moves[first_edge + place], step)
        kept = place * lanes
        total = _answer(messages, first_message + kept, signs, least, of_least, of_others)
        write_posteriors(posterior, start, index, size, total)
        total = _answer(messages, behind + kept, next_signs, next_least, next_of_least, next_of_others)
        store_run(posterior, start + index + lanes, total)


@lean_kernel
def _iterate(
    row_starts: Words,
    moves: Words,
    size: np.uint64,
    limits: Limits,
    syndrome: Words,
    posterior: Values,
    messages: Values,
) -> None:
    """Update all checks of one frame once, by the words of the edges of this iteration; as `decode_layered`."""
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    message = np.uint64(0)
    for row in range(row_starts.size - 1):
        first = row_starts[row]
        degree = row_starts[row + 1] - first
        check = np.uint64(row) * size
        index = np.uint64(0)
        while index + lanes < size and registers_are_whole():
            bits = (_syndrome_at(syndrome, check + index), _syndrome_at(syndrome, check + index + lanes))
            _answer_pair(moves, first, degree, index, size, bits, limits, posterior, messages, message)
            message += np.uint64(2) * degree * lanes
            index += np.uint64(2) * lanes
        while index < size:
            bit = _syndrome_at(syndrome, check + index)
            _answer_edges(moves, first, degree, index, size, bit, limits, posterior, messages, message)
            message += degree * lanes
            index += lanes


@inlined_kernel
def _syndrome_at(syndrome: Words, check: np.uint64) -> np.uint64:
    """Return the bits of the syndrome from that of a check on, as far as its word goes."""
    return syndrome[check >> np.uint64(6)] >> (check & np.uint64(63))


@kernel
def decode_layered(
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: int,
    edge_moves: Words,
    block_moves: Words,
    limits: Limits,
    channel: NDArray[np.int16],
    syndromes: Words,
    posterior: Values,
    messages: Values,
    words: Words,
    iterations: NDArray[np.int32],
    converged: NDArray[np.uint8],
) -> None:
    """Find a word for each frame's syndrome.

    Args:
        row_starts: the code, as the module says.
        edge_bits: the code.
        edge_shifts: the code.
        size: the code.
        edge_moves: the words of the edges in iterations 0, 2, ... and 1, 3, ..., shape (2, base edges), as
            `qkdpost._kernels.ldpc.posteriors` says.
        block_moves: those of the blocks after as many iterations, shape (2, columns).
        limits: a decoder's, by the places above.
        channel: log-likelihood ratios before decoding, int16, held within the type of posteriors; shape (1, bits) where
            all frames have the same, else (frames, bits); positive for no error, 0 where nothing is known.
        syndromes: packed, shape (frames, checks / 64).
        posterior: scratch, int8 or int16, shape (`posterior_length`,).
        messages: scratch of the same type, one for each edge of the code.
        words: packed words found, shape (frames, bits / 64); written.
        iterations: used by each frame, shape (frames,); written.
        converged: whether the word has the syndrome, shape (frames,); written.
    """
    for frame in range(syndromes.shape[0]):
        syndrome, decisions = syndromes[frame], words[frame]
        restart(channel[min(frame, channel.shape[0] - 1)], size, block_moves[0], posterior)
        messages[:] = 0
        for age in range(limits[MAX_ITERATIONS]):
            _iterate(row_starts, edge_moves[age & 1], np.uint64(size), limits, syndrome, posterior, messages)
            decide(size, block_moves[(age + 1) & 1], posterior, decisions)
            iterations[frame] = age + 1
            if is_satisfied(row_starts, edge_bits, edge_shifts, size, syndrome, decisions):
                converged[frame] = 1
                break
            since = age - limits[FIRST_COUNT]
            allowed = limits[MAX_MISSED_PERMILLE] - limits[FEWER_PERMILLE] * since
            due = since >= 0 and since % _ITERATIONS_BETWEEN_COUNTS == 0
            if due and is_hopeless(row_starts, edge_bits, edge_shifts, size, syndrome, decisions, allowed):
                break


def warm() -> None:
    """Compile every kernel of this module for both types by tiny calls."""
    starts = np.array([0, 1], dtype=np.uint64)
    edge = np.zeros(1, dtype=np.uint64)
    frame = np.zeros((1, 1), dtype=np.uint64)
    moves = np.zeros((2, 1), dtype=np.uint64)
    for dtype in (np.int8, np.int16):
        itemsize = np.dtype(dtype).itemsize
        decode_layered(
            starts, edge, edge, 64, moves, moves.copy(), np.array([0, 1, 1, 1, 1000, 0]),
            np.zeros((1, 64), np.int16), frame, np.zeros(posterior_length(1, 64, itemsize), dtype),
            np.zeros(64, dtype), frame.copy(), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.uint8),
        )  # fmt: skip
