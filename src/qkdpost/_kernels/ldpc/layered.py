"""Layered belief propagation with corrected min-sum, a register of frames side by side.

The code is quasi-cyclic: base row r holds the base edges row_starts[r] ... row_starts[r + 1] - 1, edge e joins bit
``edge_bits[e] + (i + edge_shifts[e]) % size`` to check ``r * size + i``, and `size` is a power of two, 64 or more.
What is sought is the error pattern that has the given syndrome.

A check combines the magnitudes of its messages pairwise,

    f(a, b) = min(a, b) - (c(|a - b|) - c(a + b)) / 4,

which is the exact combination ln((1 + exp(a + b)) / (exp(a) + exp(b))) with ln(1 + exp(-x)) replaced by a line in 8
bits and by the largest of four in 16 bits (see `combine_magnitudes`). As in the approximation A-min* of Jones et al.
(MILCOM 2003) the edge of least magnitude is answered by all others, and every other edge by all edges.
So a check is kept as two magnitudes, and two masks for each edge: where it was least, and signs.
Magnitudes inside a check are in half units, unsigned; messages and posteriors in units, signed and saturated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.ldpc.lane_frames import (
    CORRECTION,
    FIRST_COUNT,
    MAX_ITERATIONS,
    MAX_MAGNITUDE,
    admit,
    any_due,
    first_waiting,
    hopeless,
    mark_done,
    place_syndromes,
    release_lanes,
    take_words,
)
from qkdpost._kernels.ldpc.lanes import (
    add_saturated,
    add_unsigned_saturated,
    choose,
    combine_magnitudes,
    equal,
    larger_unsigned,
    load_lanes,
    magnitude,
    negate_where,
    negative,
    shift_right_unsigned,
    smaller_unsigned,
    spread,
    store_lanes,
    subtract_saturated,
)
from qkdpost._kernels.ldpc.parity_checks import ROWS_BETWEEN_COUNTS, count_unsatisfied, unsatisfied_frames

__all__ = ["decode_layered", "update_layer", "warm"]

Words = NDArray[np.uint64]
Lanes = NDArray[Any]
Limits = NDArray[np.int64]
Masks = NDArray[np.unsignedinteger[Any]]


@kernel
def update_layer(
    row: np.uint64,
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: np.uint64,
    correction: int,
    max_magnitude: int,
    syndromes: Words,
    posterior: Lanes,
    magnitudes: Lanes,
    masks: Masks,
    scratch: Lanes,
) -> None:
    """Update the checks of base row `row` one after another, and the posteriors that they touch.

    Args:
        row: a base row.
        row_starts: as the module says, shape (base rows + 1,).
        edge_bits: as the module says, shape (base edges,).
        edge_shifts: as the module says, shape (base edges,).
        size: bits of a block.
        correction: the line of slope 1 starts there, in half units.
        max_magnitude: at which the check's messages are held, in units.
        syndromes: for each check the mask of frames whose syndrome bit is 1, shape (checks,).
        posterior: log-likelihood ratios, positive for no error, shape (bits, lanes).
        magnitudes: of check c, row 2 c for the edge of least magnitude, row 2 c + 1 for the others; (2 checks, lanes).
        masks: of check-edge k, in the order of checks, entry 2 k where it was least, 2 k + 1 where its message is
            negative; shape (2 edges,), unsigned, of at least as many bits as there are lanes.
        scratch: shape (largest row degree, lanes).
    """
    one = np.uint64(1)
    two = np.uint64(2)
    last = size - one
    start = row_starts[row]
    degree = row_starts[row + one] - start
    top = spread(posterior, -1)
    largest = spread(posterior, max_magnitude)
    rounding = spread(posterior, 1)
    slack = spread(posterior, correction)
    for index in range(size):
        check = row * size + index
        first_mask = two * (start * size + index * degree)
        old_least = load_lanes(magnitudes, two * check)
        old_other = load_lanes(magnitudes, two * check + one)
        least = combined = top
        parity = syndromes[check]
        for place in range(degree):
            bit = edge_bits[start + place] + ((index + edge_shifts[start + place]) & last)
            mask = first_mask + two * place
            old_signs, old_places = np.uint64(masks[mask + one]), np.uint64(masks[mask])
            old = negate_where(old_signs, choose(old_places, old_least, old_other))
            message = subtract_saturated(load_lanes(posterior, bit), old)
            store_lanes(scratch, place, message)
            signs = negative(message)
            masks[mask + one] = signs
            parity ^= signs
            absolute = magnitude(message)
            doubled = add_unsigned_saturated(absolute, absolute)
            higher = larger_unsigned(doubled, least)
            least = smaller_unsigned(doubled, least)
            combined = combine_magnitudes(combined, higher, slack)
        whole = combine_magnitudes(combined, least, slack)
        new_least = smaller_unsigned(largest, shift_right_unsigned(add_unsigned_saturated(combined, rounding), 1))
        new_other = smaller_unsigned(largest, shift_right_unsigned(add_unsigned_saturated(whole, rounding), 1))
        store_lanes(magnitudes, two * check, new_least)
        store_lanes(magnitudes, two * check + one, new_other)
        for place in range(degree):
            bit = edge_bits[start + place] + ((index + edge_shifts[start + place]) & last)
            mask = first_mask + two * place
            message = load_lanes(scratch, place)
            absolute = magnitude(message)
            was_least = equal(add_unsigned_saturated(absolute, absolute), least)
            signs = np.uint64(masks[mask + one]) ^ parity
            masks[mask] = was_least
            masks[mask + one] = signs
            new = negate_where(signs, choose(was_least, new_least, new_other))
            store_lanes(posterior, bit, add_saturated(message, new))


@kernel
def _restart_frames(
    fresh: np.uint64, frame_of: NDArray[np.int64], channel: Lanes, posterior: Lanes, magnitudes: Lanes
) -> None:
    """Set the lanes of mask `fresh` to their frames' channel values, and their messages to zero.

    All lanes get the first row of `channel`; where each frame has a row of its own, it is then written over that.
    """
    zero = spread(posterior, 0)
    for bit in range(posterior.shape[0]):
        store_lanes(posterior, bit, choose(fresh, spread(posterior, channel[0, bit]), load_lanes(posterior, bit)))
    for bit in range(posterior.shape[0] if channel.shape[0] > 1 else 0):
        for lane in range(frame_of.size):
            if (fresh >> np.uint64(lane)) & np.uint64(1) != np.uint64(0):
                posterior[bit, lane] = channel[frame_of[lane], bit]
    for row in range(magnitudes.shape[0]):
        store_lanes(magnitudes, row, choose(fresh, zero, load_lanes(magnitudes, row)))


@kernel
def decode_layered(
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    limits: Limits,
    channel: Lanes,
    frame_syndromes: Words,
    posterior: Lanes,
    magnitudes: Lanes,
    masks: Masks,
    scratch: Lanes,
    syndromes: Words,
    decisions: Words,
    sums: Words,
    words: Words,
    iterations: NDArray[np.int32],
    converged: NDArray[np.uint8],
) -> None:
    """Find a word for each frame's syndrome; a frame that is done makes room for the next one.

    Args:
        row_starts: the code, as the module says.
        edge_bits: the code.
        edge_shifts: the code.
        limits: as `qkdpost._kernels.ldpc.lane_frames` names its places.
        channel: log-likelihood ratios before decoding, int16, held within the type of lanes; shape (1, bits) where all
            frames have the same, else (frames, bits); positive for no error, 0 where nothing is known.
        frame_syndromes: packed, shape (frames, checks / 64).
        posterior: scratch, as for `update_layer`.
        magnitudes: scratch, as for `update_layer`.
        masks: scratch, as for `update_layer`.
        scratch: as for `update_layer`.
        syndromes: scratch, shape (checks,).
        decisions: scratch, shape (bits,).
        sums: scratch, shape (size,).
        words: packed words found, shape (frames, bits / 64); written.
        iterations: used by each frame, shape (frames,); written.
        converged: whether the word has the syndrome, shape (frames,); written.
    """
    frames = frame_syndromes.shape[0]
    frame_of = np.full(posterior.shape[1], -1, np.int64)
    ages = np.zeros(posterior.shape[1], np.int64)
    counts = np.zeros(posterior.shape[1], np.int64)
    square = np.zeros(64, np.uint64)
    waiting = 0
    active = np.uint64(0)
    while waiting < frames or active != np.uint64(0):
        fresh = admit(frame_of, ages, waiting, frames)
        if fresh != np.uint64(0):
            waiting = first_waiting(frame_of)
            place_syndromes(fresh, frame_of, frame_syndromes, syndromes, square)
            _restart_frames(fresh, frame_of, channel, posterior, magnitudes)
            active |= fresh
        for row in range(row_starts.size - 1):
            update_layer(
                np.uint64(row), row_starts, edge_bits, edge_shifts, np.uint64(sums.size), limits[CORRECTION],
                limits[MAX_MAGNITUDE], syndromes, posterior, magnitudes, masks, scratch,
            )  # fmt: skip
        for bit in range(posterior.shape[0]):
            decisions[bit] = negative(load_lanes(posterior, bit))
        missed = unsatisfied_frames(active, row_starts, edge_bits, edge_shifts, syndromes, decisions, sums)
        given_up = np.uint64(0)
        if any_due(frame_of, ages, limits[FIRST_COUNT]):
            count_unsatisfied(row_starts, edge_bits, edge_shifts, syndromes, decisions, sums, counts)
            counted = sums.size * ((row_starts.size + ROWS_BETWEEN_COUNTS - 2) // ROWS_BETWEEN_COUNTS)
            given_up = hopeless(frame_of, ages, counts, counted, limits)
        done = mark_done(missed, given_up, limits[MAX_ITERATIONS], frame_of, ages, iterations, converged)
        if done != np.uint64(0):
            take_words(done, frame_of, decisions, words, square)
            release_lanes(done, frame_of)
            active &= ~done


def warm() -> None:
    """Compile every kernel of this module for both types by tiny calls."""
    starts = np.array([0, 1], dtype=np.uint64)
    edge = np.zeros(1, dtype=np.uint64)
    frame = np.zeros((1, 1), dtype=np.uint64)
    for dtype, register_bytes in ((np.int8, 64), (np.int16, 64), (np.uint8, 32), (np.uint16, 32)):
        lanes = np.zeros((64, register_bytes // np.dtype(dtype).itemsize), dtype=dtype)
        words = np.zeros(128, dtype=np.uint64)
        masks = words.astype(f"u{lanes.shape[1] // 8}")
        decode_layered(
            starts, edge, edge, np.array([0, 1, 1, 1, 1000, 0]), np.zeros((1, 64), np.int16), frame,
            lanes, np.concatenate([lanes, lanes]), masks, lanes[:1].copy(), words[:64].copy(), words[64:].copy(),
            words[:64].copy(), frame.copy(), np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.uint8),
        )  # fmt: skip
