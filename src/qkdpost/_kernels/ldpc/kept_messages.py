"""What the checks of a failed frame sent last, kept in a third of the room, and how its decoding goes on from there.

Of the edges of a check those of least magnitude get one answer and all others a second one. So two magnitudes a check
and two bits an edge are all: its sign, and whether it has the larger magnitude.

When more of a frame is disclosed, what its checks said of the other bits holds on: the bits that were revealed now
count as certain, and the syndrome is that of the rest. The posteriors begin with the channel's values, and each base
row in turn adds its messages. A bit that is certain stays as the channel has it; no other comes to look so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import lean_kernel
from qkdpost._kernels.ldpc.lanes import (
    add_saturated,
    choose,
    equal,
    larger_unsigned,
    load_run,
    magnitude,
    negate_where,
    negative,
    smaller_unsigned,
    spread,
    store_run,
)
from qkdpost._kernels.ldpc.posteriors import REGISTER_BYTES, write_posteriors

__all__ = ["keep_messages", "kept_magnitudes", "kept_marks", "take_up_messages"]

Words = NDArray[np.uint64]
Values = NDArray[Any]


def kept_magnitudes(checks: int) -> int:
    """Return how many magnitudes are kept of a frame: for each register of checks the larger ones, then the lesser."""
    return 2 * checks


def kept_marks(edges: int, itemsize: int) -> int:
    """Return how many words of marks are kept of a frame of so many edges: two for each register of each base edge."""
    return 2 * edges * itemsize // REGISTER_BYTES


@lean_kernel
def keep_messages(row_starts: Words, size: int, messages: Values, magnitudes: Values, marks: Words) -> None:
    """Write what is kept of a frame's messages.

    Args:
        row_starts: the code, as in `qkdpost._kernels.ldpc.layered`.
        size: the code.
        messages: in their order.
        magnitudes: shape (`kept_magnitudes`,), of the messages' type; written.
        marks: shape (`kept_marks`,); written.
    """
    lanes = REGISTER_BYTES // messages.itemsize
    place = mark = pair = 0
    for row in range(row_starts.size - 1):
        degree = int(row_starts[row + 1] - row_starts[row])
        for _ in range(0, size, lanes):
            largest = spread(messages, 0)
            least = spread(messages, -1)
            for edge in range(degree):
                absolute = magnitude(load_run(messages, place + edge * lanes))
                largest = larger_unsigned(largest, absolute)
                least = smaller_unsigned(least, absolute)
            store_run(magnitudes, pair, largest)
            store_run(magnitudes, pair + lanes, least)
            for edge in range(degree):
                message = load_run(messages, place + edge * lanes)
                marks[mark] = negative(message)
                marks[mark + 1] = equal(magnitude(message), largest)
                mark += 2
            place += degree * lanes
            pair += 2 * lanes


@lean_kernel
def take_up_messages(
    row_starts: Words,
    edge_starts: Words,
    edge_shifts: Words,
    size: np.uint64,
    magnitudes: Values,
    marks: Words,
    posterior: Values,
    messages: Values,
) -> None:
    """Write the messages that were kept of a frame, and add them to its posteriors, which are the channel's values.

    Args:
        row_starts: the code, as in `qkdpost._kernels.ldpc.layered`.
        edge_starts: for each edge where its block's posteriors start, past the margin.
        edge_shifts: the code.
        size: the code.
        magnitudes: what was kept.
        marks: what was kept.
        posterior: the frame's, as in `qkdpost._kernels.ldpc.posteriors`.
        messages: of the frame; written.
    """
    lanes = np.uint64(REGISTER_BYTES // posterior.itemsize)
    last = size - np.uint64(1)
    certain = (1 << (8 * posterior.itemsize - 1)) - 1
    top = spread(posterior, certain)
    below = spread(posterior, certain - 1)
    place = pair = np.uint64(0)
    mark = 0
    for row in range(row_starts.size - 1):
        for begin in range(0, int(size), int(lanes)):
            largest = load_run(magnitudes, pair)
            least = load_run(magnitudes, pair + lanes)
            for edge in range(row_starts[row], row_starts[row + 1]):
                message = negate_where(marks[mark], choose(marks[mark + 1], largest, least))
                store_run(messages, place, message)
                offset = (np.uint64(begin) + edge_shifts[edge]) & last
                start = edge_starts[edge] + offset
                before = load_run(posterior, start)
                total = add_saturated(before, message)
                total = choose(equal(total, top), below, total)
                total = choose(equal(before, top), top, total)
                write_posteriors(posterior, start, offset, size, lanes, total)
                mark += 2
                place += lanes
            pair += lanes + lanes
