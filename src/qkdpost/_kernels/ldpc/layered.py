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

from qkdpost._kernels.jit.decorators import kernel
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
    smaller_unsigned,
    spread,
    store_run,
    subtract_saturated,
)
from qkdpost._kernels.ldpc.posteriors import REGISTER_BYTES, decide, posterior_length, restart, write_posteriors

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


@kernel
def _answer_edges(
    first_edge: np.uint64,
    degree: np.uint64,
    index: np.uint64,
    edge_starts: Words,
    edge_shifts: Words,
    size: np.uint64,
    syndrome: np.uint64,
    limits: Limits,
    posterior: Values,
    messages: Values,
    first_message: np.uint64,
) -> None:
    """Update a register of checks of a base row, from number `index` on, and the posteriors that they touch.

    Args:
        first_edge: of the base row.
        degree: its edges.
        index: number of the first check within its row, a multiple of the lanes.
        edge_starts: for each edge where its block's posteriors start, past the margin, shape (base edges,).
        edge_shifts: as the module says.
        size: bits of a block.
        syndrome: bit i is that of check `index` + i.
        limits: by the places above.
        posterior: log-likelihood ratios, positive for no error, as the module says.
        messages: those that the checks sent last, as far as they are kept.
        first_message: where those of these checks start, a register for each edge.
    """
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    last = size - np.uint64(1)
    zero = spread(posterior, 0)
    top = spread(posterior, -1)
    slack = spread(posterior, limits[CORRECTION])
    signs = choose(syndrome, top, zero)
    least = combined = top
    for place in range(degree):
        edge = first_edge + place
        start = edge_starts[edge] + ((index + edge_shifts[edge]) & last)
        kept = first_message + place * lanes
        message = subtract_saturated(load_run(posterior, start), load_run(messages, kept))
        store_run(messages, kept, message)
        signs = exclusive_or(signs, message)
        absolute = magnitude(message)
        higher = larger_unsigned(absolute, least)
        least = smaller_unsigned(absolute, least)
        combined = combine_magnitudes(combined, higher, slack)
    whole = combine_magnitudes(combined, least, slack)
    largest = spread(posterior, limits[MAX_MAGNITUDE])
    of_least = smaller_unsigned(largest, combined)
    of_others = smaller_unsigned(largest, whole)
    for place in range(degree):
        edge = first_edge + place
        offset = (index + edge_shifts[edge]) & last
        start = edge_starts[edge] + offset
        kept = first_message + place * lanes
        message = load_run(messages, kept)
        answer = choose(equal(magnitude(message), least), of_least, of_others)
        answer = negate_where(negative(exclusive_or(message, signs)), answer)
        total = add_saturated(message, answer)
        store_run(messages, kept, subtract_saturated(total, message))
        write_posteriors(posterior, start, offset, size, lanes, total)


@kernel
def _iterate(
    row_starts: Words,
    edge_starts: Words,
    edge_shifts: Words,
    size: np.uint64,
    limits: Limits,
    syndrome: Words,
    posterior: Values,
    messages: Values,
) -> None:
    """Update all checks of one frame once; arguments as for `decode_layered`."""
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    message = np.uint64(0)
    for row in range(row_starts.size - 1):
        first = row_starts[row]
        degree = row_starts[row + 1] - first
        for start in range(0, int(size), int(lanes)):
            index = np.uint64(start)
            check = np.uint64(row) * size + index
            bits = syndrome[check >> np.uint64(6)] >> (check & np.uint64(63))
            _answer_edges(
                first, degree, index, edge_starts, edge_shifts, size, bits, limits, posterior, messages, message
            )
            message += degree * lanes


@kernel
def decode_layered(
    row_starts: Words,
    edge_bits: Words,
    edge_starts: Words,
    edge_shifts: Words,
    size: int,
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
        edge_starts: for each edge where its block's posteriors start, past the margin.
        edge_shifts: the code.
        size: the code.
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
        restart(channel[min(frame, channel.shape[0] - 1)], size, posterior)
        messages[:] = 0
        for age in range(limits[MAX_ITERATIONS]):
            _iterate(row_starts, edge_starts, edge_shifts, np.uint64(size), limits, syndrome, posterior, messages)
            decide(size, posterior, decisions)
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
    for dtype in (np.int8, np.int16):
        itemsize = np.dtype(dtype).itemsize
        decode_layered(
            starts, edge, edge + np.uint64(64 // itemsize), edge, 64, np.array([0, 1, 1, 1, 1000, 0]),
            np.zeros((1, 64), np.int16), frame, np.zeros(posterior_length(1, 64, itemsize), dtype),
            np.zeros(64, dtype), frame.copy(), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.uint8),
        )  # fmt: skip
