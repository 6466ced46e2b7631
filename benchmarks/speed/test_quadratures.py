"""Continuous variables: rotations with norms, whitening, dither, and the sums of estimation, beside plain numpy.

Every group is of 2^20 symbols of two quadratures; divide by the time for symbols per second. What they cost at least:
whitening and rotations read 4 bytes a real and write 4 and 2.5, sums read 16 bytes a symbol; a rotation of dimension 8
is 64 products and sums for 8 reals, the sums are 24 of either a symbol, which at 8 and 4 a register is 1 and 2
nanoseconds a symbol and not what memory takes. The plain one of rotations multiplies octonions component by component
over whole arrays; that of sums is one product of matrices of float64, with the fourth powers and lagged products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost._kernels.quadratures.products import SECOND_CONJUGATED
from qkdpost.bits import Bits
from qkdpost.reconciliation.multidimensional import rebuild_outcomes, rotation_messages, virtual_channel
from qkdpost.sifting.quadratures import MomentSums, dithered, whiten
from qkdpost.statistics.gaussian.moments import Whitening

SYMBOLS = 2**20
GENERATOR = np.random.default_rng(1)
X = GENERATOR.normal(0.0, 2.0, (SYMBOLS, 2)).astype(np.float32)
Y = (0.4 * X + GENERATOR.normal(0.0, 1.0, (SYMBOLS, 2))).astype(np.float32)
BITS = Bits.from_bytes(GENERATOR.bytes(SYMBOLS // 4), 2 * SYMBOLS)
CHOICES = Bits.from_bytes(GENERATOR.bytes(SYMBOLS // 8), SYMBOLS)
WHITENING = Whitening(centre=(0.01, -0.02), matrix=(0.8, 0.01, 0.01, 0.9))
ROTATIONS, CHANNEL, SUMS = "rotations and norms", "log-likelihoods of rotated symbols", "sums of estimation"


@pytest.mark.benchmark(group=ROTATIONS)
@pytest.mark.parametrize("dimension", [8, 4, 2])
def test_rotations(benchmark: Any, dimension: int) -> None:
    benchmark(rotation_messages, Y, BITS, dimension)


@pytest.mark.benchmark(group=ROTATIONS)
def test_whitening_and_rotations(benchmark: Any) -> None:
    benchmark(lambda: rotation_messages(whiten(Y, WHITENING), BITS, 8))


@pytest.mark.benchmark(group=ROTATIONS)
def test_numpy_rotations(benchmark: Any) -> None:
    signs = (1.0 - 2.0 * np.asarray(BITS).reshape(-1, 8)).astype(np.float32) / np.float32(np.sqrt(8.0))
    values = Y.reshape(-1, 8)

    def rotate() -> Any:
        norms = np.sqrt((values * values).sum(axis=1))
        rotated = np.zeros_like(values)
        for row in range(8):
            for index in range(8):
                rotated[:, row] += SECOND_CONJUGATED[index, index ^ row] * signs[:, index] * values[:, index ^ row]
        return np.rint(rotated * (np.float32(32767.0) / norms)[:, None]).astype(np.int16), norms

    rotations, _ = benchmark.pedantic(rotate, rounds=3, iterations=1, warmup_rounds=1)
    ours = rotation_messages(Y, BITS, 8).rotations.reshape(-1, 8)
    assert np.abs(ours.astype(np.int32) - rotations).max() <= 1


@pytest.mark.benchmark(group=CHANNEL)
def test_virtual_channel(benchmark: Any) -> None:
    message = rotation_messages(Y, BITS, 8)
    benchmark(virtual_channel, X, message, 0.4, 1.0, frames=16)


@pytest.mark.benchmark(group=CHANNEL)
def test_rebuilding(benchmark: Any) -> None:
    message = rotation_messages(Y, BITS, 8)
    benchmark(rebuild_outcomes, message, BITS)


@pytest.mark.benchmark(group="dither")
def test_dither(benchmark: Any) -> None:
    raw = np.rint(20.0 * Y).astype(np.int16)
    source = np.random.default_rng(2).bytes
    drawn = source(2**23)
    benchmark(dithered, raw, 1.0, lambda size: drawn[:size])


@pytest.mark.benchmark(group=SUMS)
def test_sums(benchmark: Any) -> None:
    sums = MomentSums("heterodyne")
    benchmark(sums.add, X, Y)


@pytest.mark.benchmark(group=SUMS)
def test_sums_of_one_quadrature(benchmark: Any) -> None:
    sums = MomentSums("homodyne")
    benchmark(sums.add, X[:, 0].copy(), Y[:, 0].copy(), CHOICES)


@pytest.mark.benchmark(group=SUMS)
def test_numpy_sums(benchmark: Any) -> None:
    def add() -> Any:
        joined = np.column_stack((np.ones(SYMBOLS), X, Y))
        fourth = (joined[:, 3:] ** 4).sum(axis=0)
        return joined.T @ joined, fourth, [joined[:-lag, 3:].T @ joined[lag:, 3:] for lag in (1, 2)]

    products, _, _ = benchmark.pedantic(add, rounds=3, iterations=1, warmup_rounds=1)
    sums = MomentSums("heterodyne")
    sums.add(X, Y)
    assert sums.result().products[0] == pytest.approx(products[1, 3], rel=1e-9)
