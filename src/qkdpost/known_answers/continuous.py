"""Known answers of continuous outcomes: cells, rotations and sums.

Inputs are whole numbers over powers of two, so that cells and sums are exact whatever the order of operations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels import slices as kernels
from qkdpost._kernels.quadratures.affine import add_dither, choose_quadratures, whiten_both, whiten_one
from qkdpost._kernels.quadratures.sums import CARRIED, TOTALS, sum_both, sum_one
from qkdpost.bits import Bits
from qkdpost.known_answers.inputs import bits, digest, numbers, read_only
from qkdpost.reconciliation.multidimensional.channel import rebuild_outcomes, rotation_messages, virtual_channel
from qkdpost.reconciliation.slices.soft_values import soft_table

__all__ = [
    "CENTRE",
    "DEVIATION",
    "LEVELS",
    "MATRIX",
    "REALS",
    "WIDTH",
    "exact",
    "rotations",
    "slices",
    "sums",
    "whitening",
]

REALS = 64
LEVELS, WIDTH, DEVIATION = 3, 0.5, 0.25
CENTRE, MATRIX = (0.5, -0.25), (1.25, -0.5, 0.75, 2.0)


def exact(name: str, count: int) -> NDArray[np.float32]:
    """Return reals in -4 ... 4, odd multiples of 2^-18: each lies in the middle of its place of its cell."""
    found = np.array(numbers(name, count, 1 << 20), dtype=np.float64)
    return read_only(((2 * found + 1) / (1 << 18) - 4.0).astype(np.float32))


def slices() -> dict[str, str | int | list[float]]:
    """Cut reals into labels and places, put them together, and say what is known of a bit."""
    outcomes = exact("outcomes", REALS)
    labels, places, turns = np.zeros(REALS, np.uint8), np.zeros(REALS, np.uint16), np.zeros(REALS, np.int8)
    fits = kernels.cut(outcomes, 1 / WIDTH, LEVELS, labels, places, turns)
    turned = np.flatnonzero(turns).astype(np.uint32)
    again, counts = np.zeros(REALS, np.float32), np.zeros(1 << LEVELS, np.int64)
    kernels.rebuild(labels, places, turned, turns[turned], WIDTH, LEVELS, again)
    kernels.count_labels(labels, counts)
    answers: dict[str, str | int | list[float]] = {
        "labels": digest(int(fits), labels),
        "places": digest(places),
        "turns": digest(turns),
        "numbers of labels": digest(counts),
        "rebuilt": [float(value) for value in again],
    }
    for level in range(LEVELS):
        values = np.zeros(REALS, np.float32)
        table = soft_table((1 << level) * WIDTH / DEVIATION)
        kernels.soft_values(exact("expected", REALS), labels, places, 1 / WIDTH, level, table, values)
        answers[f"ratios of bit {level}"] = [float(value) for value in values]
    return answers


def rotations() -> dict[str, str | int | list[float]]:
    """Rotate outcomes to signs, and back; and turn what the other host knows into ratios."""
    answers: dict[str, str | int | list[float]] = {}
    outcomes, signs = exact("outcomes", REALS), Bits.from_array(bits("signs", REALS))
    for dimension in (1, 2, 4, 8):
        message = rotation_messages(outcomes, signs, dimension)
        ratios = virtual_channel(exact("sent", REALS), message, 1.0, 2.0).values
        answers[f"outcomes from {dimension} dimensions"] = [float(value) for value in rebuild_outcomes(message, signs)]
        answers[f"ratios in {dimension} dimensions"] = [float(value) for value in ratios.reshape(-1)]
    return answers


def sums() -> dict[str, str | int | list[float]]:
    """Add up products of what was sent and measured."""
    carried, totals = np.zeros((2, CARRIED)), np.zeros((2, TOTALS))
    sent, measured = (exact(name, 2 * REALS).reshape(REALS, 2) for name in ("sent", "measured"))
    sum_both(sent, measured, carried, totals)
    carried, single = np.zeros((2, CARRIED)), np.zeros((2, TOTALS))
    words, chosen = _quadratures(sent), _quadratures(measured)
    of_second = sum_one(words[1], chosen[1], words[0], carried, single)
    return {
        "totals": [float(total) for total in totals.sum(axis=0)],
        "of quadrature 1": int(of_second),
        "totals of one quadrature": [float(total) for total in single.sum(axis=0)[:16]],
    }


def _quadratures(pairs: NDArray[np.float32]) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Return which quadrature was measured, as packed bits, and that one of each pair."""
    words, chosen = Bits.from_array(bits("quadratures", REALS)).words, np.zeros(REALS, np.float32)
    choose_quadratures(pairs, words, chosen)
    return words, read_only(chosen)


def whitening() -> dict[str, str | int | list[float]]:
    """Bring outcomes to centre 0 and covariance 1, and add normal variates to those that were digitised coarsely."""
    raw = exact("raw", 2 * REALS).reshape(REALS, 2)
    centre, matrix = np.array(CENTRE, np.float32), np.array(MATRIX, np.float32)
    words, chosen = _quadratures(raw)
    both, one, dithered = np.zeros((REALS, 2), np.float32), np.zeros(REALS, np.float32), np.zeros(2 * REALS, np.float32)
    whiten_both(raw, centre, matrix, both)
    whiten_one(chosen, words, centre, matrix, one)
    uniform = read_only(np.array(numbers("uniform", 2 * REALS, 1 << 32), dtype=np.uint32))
    add_dither(raw.reshape(2 * REALS), uniform, 0.5, dithered)
    return {
        "chosen": [float(value) for value in chosen],
        "both": [float(value) for value in both.reshape(-1)],
        "one": [float(value) for value in one],
        "dithered": [float(value) for value in dithered],
    }
