"""Slow, obvious twins: dense parity-check matrices, and belief propagation frame by frame in plain numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode

__all__ = ["dense_matrix", "layered_min_sum", "sum_product"]


def dense_matrix(code: QuasiCyclicCode) -> NDArray[np.uint8]:
    """Return the parity-check matrix, shape (checks, bits)."""
    matrix = np.zeros((code.syndrome_bits, code.frame_bits), dtype=np.uint8)
    for row, column, shift in code.edges.tolist():
        for index in range(code.size):
            matrix[row * code.size + index, column * code.size + (index + shift) % code.size] ^= 1
    return matrix


def sum_product(
    matrix: NDArray[np.uint8], syndrome: NDArray[np.uint8], error_rate: float, iterations: int
) -> tuple[NDArray[np.uint8], bool]:
    """Return an error pattern found by flooding sum-product in floating point, and whether it has the syndrome."""
    checks, bits = np.nonzero(matrix)
    channel = math.log((1 - error_rate) / error_rate)
    to_check = np.full(checks.size, channel)
    pattern = np.zeros(matrix.shape[1], dtype=np.uint8)
    for _ in range(iterations):
        tanh = np.tanh(np.clip(to_check, -30, 30) / 2)
        to_bit = np.zeros(checks.size)
        for check in range(matrix.shape[0]):
            edges = np.flatnonzero(checks == check)
            for edge in edges:
                product = float(np.prod(tanh[edges[edges != edge]])) * (1 - 2 * int(syndrome[check]))
                to_bit[edge] = 2 * math.atanh(max(-1 + 1e-12, min(1 - 1e-12, product)))
        total = channel + np.bincount(bits, weights=to_bit, minlength=matrix.shape[1])
        to_check = total[bits] - to_bit
        pattern = (total < 0).astype(np.uint8)
        if np.array_equal(matrix @ pattern % 2, syndrome):
            return pattern, True
    return pattern, False


def layered_min_sum(
    code: QuasiCyclicCode,
    syndrome: NDArray[np.uint8],
    channel: list[int],
    *,
    correction: int,
    max_magnitude: int,
    bits_of_type: int,
    iterations: int,
) -> tuple[NDArray[np.uint8], int, bool]:
    """Return pattern, iterations and success of the layered decoder for one frame, in Python integers."""
    lowest, highest = -(1 << (bits_of_type - 1)), (1 << (bits_of_type - 1)) - 1
    top = (1 << bits_of_type) - 1
    matrix = dense_matrix(code)
    neighbours = [np.flatnonzero(row).tolist() for row in matrix]
    posterior = list(channel)
    messages = [dict.fromkeys(bits, 0) for bits in neighbours]

    def soft(x: int) -> int:
        lines = [correction - x]
        lines.append(2 * (correction * 177 // 288 - x))
        lines.append((correction + correction * 98 // 288 - x) >> 1)
        lines.append((correction + correction * 191 // 288 - x) >> 2)
        return max(0, *lines)

    def bent(x: int) -> int:
        bends = (0, (correction >> 1) + (correction >> 3), correction - (correction >> 2))
        return sum(max(0, correction - x - bend) for bend in bends)

    def combine(left: int, right: int) -> int:
        difference, total = abs(left - right), min(top, left + right)
        if bits_of_type == 8:
            loss = (bent(difference) - max(0, correction - total)) >> 3
        else:
            loss = (soft(difference) - soft(total)) >> 2
        return max(0, min(left, right) - loss)

    for iteration in range(1, iterations + 1):
        for row in range(code.rows):
            for index in range(code.size):
                check = row * code.size + index
                # The kernel takes the edges in the order of columns, of which each has one bit here.
                bits = neighbours[check]
                incoming = {bit: max(lowest, min(highest, posterior[bit] - messages[check][bit])) for bit in bits}
                least, combined = top, top
                for bit in bits:
                    level = abs(incoming[bit])
                    combined = combine(combined, max(level, least))
                    least = min(least, level)
                whole = combine(combined, least)
                parity = int(syndrome[check]) ^ (sum(value < 0 for value in incoming.values()) & 1)
                for bit in bits:
                    answer = combined if abs(incoming[bit]) == least else whole
                    value = min(max_magnitude, answer)
                    negative = parity ^ (incoming[bit] < 0)
                    posterior[bit] = max(lowest, min(highest, incoming[bit] + (-value if negative else value)))
                    messages[check][bit] = posterior[bit] - incoming[bit]
        pattern = np.array([value < 0 for value in posterior], dtype=np.uint8)
        if np.array_equal(matrix @ pattern % 2, syndrome):
            return pattern, iteration, True
    return pattern, iterations, False
