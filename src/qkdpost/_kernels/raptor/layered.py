"""Layered belief propagation for raptor-like codes, a register of frames side by side.

Row r of a section holds the edges row_starts[r] ... row_starts[r + 1] - 1; edge e joins bit
``edge_bits[e] + (i + edge_shifts[e]) % size`` of the core to check ``r * size + i``, and
`size` is a power of two. Checks of the *strong* section, of
precode and increments, have no other bits. Each check of the *weak* section has one bit more that is in no other check:
what its channel says enters the check once and for all, and no message ever goes back. Where a check's syndrome bit is
1, that prior is negated.

Per frame are kept: a ratio of 2 bytes for each bit of the core, a message of 1 byte for each weak check and core bit of
it, of 2 bytes for each strong one, a prior of 1 byte for each check.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel, lean_kernel
from qkdpost._kernels.ldpc.lane_frames import admit, mark_done, release_lanes, take_words
from qkdpost._kernels.ldpc.lanes import (
    add_saturated,
    choose,
    exclusive_or,
    load_lanes,
    magnitude,
    negative,
    smaller_unsigned,
    spread,
    store_lanes,
    subtract_saturated,
)
from qkdpost._kernels.raptor.check_rules import (
    ANSWER,
    CAP,
    CONSTANTS,
    PRIOR,
    SCALE,
    TANGENTS,
    combine,
    hyperbolic_tangent,
    weak_answer,
)
from qkdpost._kernels.raptor.half_words import (
    load_narrow,
    multiply_fraction,
    multiply_low,
    sign_of,
    store_narrow,
    with_sign,
)

__all__ = ["decode_raptor", "unsatisfied_lanes", "update_strong_row", "update_weak_row", "warm"]

Words = NDArray[np.uint64]
Lanes = NDArray[Any]

_MAX_STRONG = 1 << 12
"""At which the answers of strong checks are held, in units, so that sums over all checks of a bit stay in range."""
_VALUES, _TANHS, _BEFORE = 0, 1, 2
_SCRATCH = 3


@lean_kernel
def update_weak_row(
    row: np.uint64,
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: np.uint64,
    constants: Lanes,
    priors: Lanes,
    totals: Lanes,
    messages: Lanes,
    scratch: Lanes,
) -> None:
    """Update the checks of a row of the weak section one after another, and the totals that they touch.

    Args:
        row: a row.
        row_starts: as the module says, shape (rows + 1,).
        edge_bits: as the module says, shape (edges,).
        edge_shifts: as the module says, shape (edges,).
        size: bits of a block.
        constants: of each lane, shape (CONSTANTS, lanes).
        priors: tanh of half the ratio of each check's own bit, bytes in units of PRIOR, shape (checks, lanes).
        totals: ratios of the core's bits in units, half-words, shape (bits, lanes).
        messages: from checks to bits, bytes in units, in the order of checks, shape (edges of checks, lanes).
        scratch: shape (3 times the largest number of edges in a row, lanes).
    """
    one = np.uint64(1)
    three = np.uint64(_SCRATCH)
    start = row_starts[row]
    degree = row_starts[row + one] - start
    last = size - one
    scale, cap = load_lanes(constants, SCALE), load_lanes(constants, CAP)
    prior_scale = load_lanes(constants, PRIOR)
    first, second = load_lanes(constants, ANSWER), load_lanes(constants, ANSWER + 1)
    third = load_lanes(constants, ANSWER + 2)
    for index in range(size):
        prior = load_narrow(priors, row * size + index)
        sign = sign_of(prior)
        product = multiply_low(magnitude(prior), prior_scale)
        first_message = start * size + index * degree
        for place in range(degree):
            bit = edge_bits[start + place] + ((index + edge_shifts[start + place]) & last)
            value = subtract_saturated(load_lanes(totals, bit), load_narrow(messages, first_message + place))
            tanh = hyperbolic_tangent(value, scale, cap, constants)
            store_lanes(scratch, three * place + np.uint64(_VALUES), value)
            store_lanes(scratch, three * place + np.uint64(_TANHS), tanh)
            store_lanes(scratch, three * place + np.uint64(_BEFORE), product)
            product = multiply_fraction(product, tanh)
            sign = exclusive_or(sign, sign_of(value))
        after = spread(constants, -1)
        for step in range(degree):
            place = degree - one - step
            bit = edge_bits[start + place] + ((index + edge_shifts[start + place]) & last)
            value = load_lanes(scratch, three * place + np.uint64(_VALUES))
            others = multiply_fraction(load_lanes(scratch, three * place + np.uint64(_BEFORE)), after)
            answer = weak_answer(others, first, second, third, constants)
            answer = with_sign(answer, exclusive_or(sign, sign_of(value)))
            store_narrow(messages, first_message + place, answer)
            store_lanes(totals, bit, add_saturated(value, answer))
            after = multiply_fraction(after, load_lanes(scratch, three * place + np.uint64(_TANHS)))


@lean_kernel
def update_strong_row(
    row: np.uint64,
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: np.uint64,
    constants: Lanes,
    priors: Lanes,
    totals: Lanes,
    messages: Lanes,
    scratch: Lanes,
) -> None:
    """Update the checks of a row of the strong section, as `update_weak_row` does those of the weak one.

    Args:
        row: a row.
        row_starts: of this section.
        edge_bits: of this section.
        edge_shifts: of this section.
        size: bits of a block.
        constants: of each lane.
        priors: bytes, -1 where the check's syndrome bit is 1, else 0, shape (checks, lanes).
        totals: as there.
        messages: half-words in units.
        scratch: as there.
    """
    one = np.uint64(1)
    three = np.uint64(_SCRATCH)
    start = row_starts[row]
    degree = row_starts[row + one] - start
    last = size - one
    line_1, line_2 = load_lanes(constants, TANGENTS), load_lanes(constants, TANGENTS + 1)
    line_3, line_4 = load_lanes(constants, TANGENTS + 2), load_lanes(constants, TANGENTS + 3)
    largest = spread(constants, _MAX_STRONG)
    for index in range(size):
        sign = load_narrow(priors, row * size + index)
        first_message = start * size + index * degree
        together = spread(constants, (1 << 15) - 1)
        for place in range(degree):
            bit = edge_bits[start + place] + ((index + edge_shifts[start + place]) & last)
            value = subtract_saturated(load_lanes(totals, bit), load_narrow(messages, first_message + place))
            store_lanes(scratch, three * place + np.uint64(_VALUES), value)
            store_lanes(scratch, three * place + np.uint64(_BEFORE), together)
            limited = smaller_unsigned(magnitude(value), spread(constants, (1 << 15) - 1))
            together = combine(together, limited, line_1, line_2, line_3, line_4)
            sign = exclusive_or(sign, sign_of(value))
        after = spread(constants, (1 << 15) - 1)
        for step in range(degree):
            place = degree - one - step
            bit = edge_bits[start + place] + ((index + edge_shifts[start + place]) & last)
            value = load_lanes(scratch, three * place + np.uint64(_VALUES))
            before = load_lanes(scratch, three * place + np.uint64(_BEFORE))
            answer = smaller_unsigned(combine(before, after, line_1, line_2, line_3, line_4), largest)
            answer = with_sign(answer, exclusive_or(sign, sign_of(value)))
            store_narrow(messages, first_message + place, answer)
            store_lanes(totals, bit, add_saturated(value, answer))
            limited = smaller_unsigned(magnitude(value), spread(constants, (1 << 15) - 1))
            after = combine(after, limited, line_1, line_2, line_3, line_4)


@lean_kernel
def unsatisfied_lanes(
    active: np.uint64,
    row_starts: Words,
    edge_bits: Words,
    edge_shifts: Words,
    size: np.uint64,
    priors: Lanes,
    totals: Lanes,
) -> np.uint64:
    """Return the mask of lanes, of those in `active`, whose signs of `totals` miss a check of the strong section."""
    missed = np.uint64(0)
    last = size - np.uint64(1)
    for row in range(np.uint64(row_starts.size - 1)):
        for index in range(size):
            odd = negative(load_narrow(priors, row * size + index))
            for edge in range(row_starts[row], row_starts[row + np.uint64(1)]):
                odd ^= negative(load_lanes(totals, edge_bits[edge] + ((index + edge_shifts[edge]) & last)))
            missed |= odd & active
            if missed == active:
                return missed
    return missed


@kernel
def _place_frames(fresh: np.uint64, frame_of: NDArray[np.int64], frames: Lanes, lanes: Lanes) -> None:
    """Write rows of `frames`, shape (frames, rows), to the columns of mask `fresh` of `lanes`, shape (rows, lanes)."""
    chosen = np.zeros(frame_of.size, np.int64)
    count = 0
    for lane in range(frame_of.size):
        if (fresh >> np.uint64(lane)) & np.uint64(1) != np.uint64(0):
            chosen[count] = lane
            count += 1
    for row in range(lanes.shape[0]):
        for index in range(count):
            lanes[row, chosen[index]] = frames[frame_of[chosen[index]], row]


@kernel
def _clear(fresh: np.uint64, messages: Lanes, constants: Lanes) -> None:
    """Set the lanes of mask `fresh` to zero."""
    zero = spread(constants, 0)
    for row in range(messages.shape[0]):
        store_narrow(messages, row, choose(fresh, zero, load_narrow(messages, row)))


@kernel
def decode_raptor(
    weak_starts: Words,
    weak_bits: Words,
    weak_shifts: Words,
    strong_starts: Words,
    strong_bits: Words,
    strong_shifts: Words,
    size: np.uint64,
    max_iterations: int,
    frame_constants: Lanes,
    frame_totals: Lanes,
    frame_weak_priors: Lanes,
    frame_strong_priors: Lanes,
    constants: Lanes,
    totals: Lanes,
    weak_priors: Lanes,
    strong_priors: Lanes,
    weak_messages: Lanes,
    strong_messages: Lanes,
    scratch: Lanes,
    words: Words,
    iterations: NDArray[np.int32],
    converged: NDArray[np.uint8],
) -> None:
    """Find the core of each frame; a frame that is done makes room for the next one.

    An iteration is all weak rows, then all strong ones. A frame is done when the signs of its core satisfy all strong
    checks, which never happens by chance; the weak ones then are satisfied by bits of the extension, whatever those
    are.

    Args:
        weak_starts: the weak section, as the module says.
        weak_bits: the weak section.
        weak_shifts: the weak section.
        strong_starts: the strong section.
        strong_bits: the strong section.
        strong_shifts: the strong section.
        size: bits of a block.
        max_iterations: after which a frame is given up.
        frame_constants: of each frame, shape (frames, CONSTANTS).
        frame_totals: channel of the core in units, shape (frames, bits).
        frame_weak_priors: as for `update_weak_row`, shape (frames, weak checks).
        frame_strong_priors: as for `update_strong_row`, shape (frames, strong checks).
        constants: scratch of the lanes, as for `update_weak_row`.
        totals: scratch.
        weak_priors: scratch.
        strong_priors: scratch.
        weak_messages: scratch.
        strong_messages: scratch.
        scratch: scratch.
        words: packed cores found, shape (frames, bits / 64); written.
        iterations: used by each frame, shape (frames,); written.
        converged: whether the strong checks are satisfied, shape (frames,); written.
    """
    frames = frame_totals.shape[0]
    lanes = totals.shape[1]
    frame_of = np.zeros(lanes, np.int64)
    for lane in range(lanes):
        frame_of[lane] = -1
    ages = np.zeros(lanes, np.int64)
    square = np.zeros(64, np.uint64)
    decisions = np.zeros(totals.shape[0], np.uint64)
    waiting = 0
    active = np.uint64(0)
    while waiting < frames or active != np.uint64(0):
        fresh = admit(frame_of, ages, waiting, frames)
        if fresh != np.uint64(0):
            for lane in range(lanes):
                waiting = max(waiting, frame_of[lane] + 1)
            _place_frames(fresh, frame_of, frame_constants, constants)
            _place_frames(fresh, frame_of, frame_totals, totals)
            _place_frames(fresh, frame_of, frame_weak_priors, weak_priors)
            _place_frames(fresh, frame_of, frame_strong_priors, strong_priors)
            _clear(fresh, weak_messages, constants)
            _clear(fresh, strong_messages, constants)
            active |= fresh
        for row in range(weak_starts.size - 1):
            update_weak_row(
                np.uint64(row), weak_starts, weak_bits, weak_shifts, size, constants, weak_priors, totals,
                weak_messages, scratch,
            )  # fmt: skip
        for row in range(strong_starts.size - 1):
            update_strong_row(
                np.uint64(row), strong_starts, strong_bits, strong_shifts, size, constants, strong_priors, totals,
                strong_messages, scratch,
            )  # fmt: skip
        missed = unsatisfied_lanes(active, strong_starts, strong_bits, strong_shifts, size, strong_priors, totals)
        done = mark_done(missed, np.uint64(0), max_iterations, frame_of, ages, iterations, converged)
        if done != np.uint64(0):
            for bit in range(totals.shape[0]):
                decisions[bit] = negative(load_lanes(totals, bit))
            take_words(done, frame_of, decisions, words, square)
            release_lanes(done, frame_of)
            active &= ~done


def warm() -> None:
    """Compile every kernel of this module by a tiny call, for the width of registers that decoders have by default."""
    starts = np.array([0, 1], dtype=np.uint64)
    edge = np.zeros(1, dtype=np.uint64)
    half_words, narrow = np.zeros((64, 16), dtype=np.uint16), np.zeros((64, 16), dtype=np.uint8)
    decode_raptor(
        starts, edge, edge, starts, edge, edge, np.uint64(64), 1,
        np.zeros((1, CONSTANTS), dtype=np.uint16), np.zeros((1, 64), dtype=np.uint16),
        np.zeros((1, 64), dtype=np.uint8), np.zeros((1, 64), dtype=np.uint8),
        half_words[:CONSTANTS].copy(), half_words.copy(), narrow.copy(), narrow.copy(), narrow.copy(),
        half_words.copy(), half_words[:3].copy(), np.zeros((1, 1), dtype=np.uint64), np.zeros(1, dtype=np.int32),
        np.zeros(1, dtype=np.uint8),
    )  # fmt: skip
