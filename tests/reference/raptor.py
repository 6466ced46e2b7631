"""A slow, obvious twin of decoders for raptor-like codes: sum-product by tanh in double precision, frame by frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.raptor.code import CirculantRows, RaptorCode

__all__ = ["checks_of", "sum_product"]


def checks_of(rows: CirculantRows, lift: int) -> list[list[int]]:
    """Return the core's bits in each check, in the order of checks."""
    found = []
    for row in range(rows.count):
        edges = range(int(rows.row_starts[row]), int(rows.row_starts[row + 1]))
        for index in range(lift):
            found.append([int(rows.columns[e]) * lift + (index + int(rows.shifts[e])) % lift for e in edges])
    return found


def sum_product(
    code: RaptorCode,
    extension_rows: int,
    syndrome: NDArray[np.uint8],
    ratios: NDArray[np.float32],
    *,
    iterations: int,
    increments: int = 0,
) -> tuple[NDArray[np.uint8], int, bool]:
    """Return the core found, the iterations and whether precode and increments are satisfied."""
    precode = checks_of(code.precode, code.lift)
    extension = checks_of(code.extension.first(extension_rows), code.lift)
    increment = checks_of(code.increments.first(increments), code.lift)
    bits_of = precode + extension + increment
    own = [1.0] * len(bits_of)
    for check in range(len(extension)):
        own[len(precode) + check] = math.tanh(float(ratios[code.core_bits + check]) / 2)
    is_strong = [not len(precode) <= check < len(precode) + len(extension) for check in range(len(bits_of))]
    order = sorted(range(len(bits_of)), key=lambda check: is_strong[check])
    totals = [float(ratio) for ratio in ratios[: code.core_bits]]
    messages = [dict.fromkeys(bits, 0.0) for bits in bits_of]
    for iteration in range(1, iterations + 1):
        for check in order:
            incoming = {bit: totals[bit] - messages[check][bit] for bit in bits_of[check]}
            for bit in bits_of[check]:
                product = own[check] * (1 - 2 * int(syndrome[check]))
                for other in bits_of[check]:
                    if other != bit:
                        product *= math.tanh(incoming[other] / 2)
                messages[check][bit] = 2 * math.atanh(max(-1 + 1e-12, min(1 - 1e-12, product)))
                totals[bit] = incoming[bit] + messages[check][bit]
        core = np.array([total < 0 for total in totals], dtype=np.uint8)
        strong = (check for check in range(len(bits_of)) if is_strong[check])
        if all(int(core[bits_of[check]].sum()) % 2 == syndrome[check] for check in strong):
            return core, iteration, True
    return core, iterations, False
