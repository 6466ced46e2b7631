from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.multidimensional import RotationMessage, rebuild_outcomes, rotation_messages
from qkdpost.sifting.quadratures import dithered

Array = np.ndarray[Any, Any]


def source(seed: int) -> Callable[[int], bytes]:
    return np.random.default_rng(seed).bytes


def test_variates_as_box_and_muller_have_them() -> None:
    words = np.frombuffer(source(3)(8 * 50), dtype="<u4").astype(np.float64)
    radii = np.sqrt(-2.0 * np.log((words[0::2] + 0.5) / 2.0**32))
    angles = 2.0 * np.pi * words[1::2] / 2.0**32
    expected = np.column_stack((radii * np.cos(angles), radii * np.sin(angles)))
    values = np.arange(100, dtype=np.int16).reshape(50, 2)
    assert dithered(values, 0.5, source(3)) == pytest.approx(values + 0.5 * expected, abs=1e-5)
    odd = dithered(values.reshape(100)[:99], 0.5, source(3))
    assert odd == pytest.approx((values + 0.5 * expected).reshape(100)[:99], abs=1e-5)


def test_the_ends_of_the_words() -> None:
    found = [dithered(np.zeros(2), 1.0, lambda size, byte=byte: bytes([byte]) * size) for byte in (0, 255)]
    assert found[0] == pytest.approx([math.sqrt(66.0 * math.log(2.0)), 0.0], abs=1e-6)
    assert np.abs(found[1]).max() < 2e-5


def test_without_a_lattice_nothing_is_added() -> None:
    values = np.ones((4, 2), dtype=np.float32)
    assert np.shares_memory(dithered(values, None), values)


def test_moments_of_the_variates() -> None:
    """Each within 6.5 standard errors: 1e-10."""
    count = 2**18
    variates = dithered(np.zeros(count, dtype=np.int16), 1.0, source(1)).astype(np.float64)
    allowed = 6.5 / math.sqrt(count)
    assert abs(variates.mean()) < allowed
    assert abs((variates**2).mean() - 1.0) < allowed * math.sqrt(2.0)
    assert abs((variates**3).mean()) < allowed * math.sqrt(15.0)
    assert abs((variates**4).mean() - 3.0) < allowed * math.sqrt(96.0)
    assert abs((variates[1:] * variates[:-1]).mean()) < allowed


@pytest.mark.parametrize("answer", [b"", bytes(7), bytes(9), "abcdefgh", None])
def test_a_source_that_gives_something_else(answer: Any) -> None:
    with pytest.raises(InputError, match="random_source"):
        dithered(np.zeros(2), 1.0, lambda size: answer)


# What a direction tells.


def density(values: Array, rms: float, smoothing: Callable[[Array], Array]) -> Array:
    """The density of a rounded normal variate after dither, by its sum over the lattice."""
    nearest = np.rint(values)
    total = np.zeros_like(values)
    for step in range(-9, 10):
        place = nearest + step
        weight = np.vectorize(math.erf, otypes=[float])
        edges = [(place + half) / (rms * math.sqrt(2.0)) for half in (-0.5, 0.5)]
        total += (weight(edges[1]) - weight(edges[0])) * smoothing(values - place)
    return total


def gaussian(offset: Array) -> Array:
    return np.exp(-offset * offset / 2.0)


def box(offset: Array) -> Array:
    return (np.abs(offset) <= 0.5).astype(np.float64)


def told_bits(values: Array, rms: float, smoothing: Callable[[Array], Array]) -> float:
    """How much of 8 bits the message tells to whoever knows the law of the outcomes, averaged over numbers."""
    count = len(values) // 8
    bits = Bits.from_array(np.random.default_rng(2).integers(0, 2, values.size))
    message = rotation_messages(values, bits, 8)
    # At the norms that are told, which are rounded, as those of all other candidates are.
    own = density(rebuild_outcomes(message, bits).astype(np.float64), rms, smoothing).reshape(count, 8)
    candidates = np.empty((256, count))
    for pattern in range(256):
        repeated = Bits.from_bytes(bytes([pattern]) * count, 8 * count)
        exact = RotationMessage(dimension=8, rotations=message.rotations, norms=message.norms)
        other = rebuild_outcomes(exact, repeated).astype(np.float64)
        candidates[pattern] = np.log(density(other, rms, smoothing)).reshape(count, 8).sum(axis=1)
    means = np.log(np.exp(candidates - candidates.max(axis=0)).mean(axis=0)) + candidates.max(axis=0)
    return float((np.log(own).sum(axis=1) - means).mean() / math.log(2.0))


@pytest.mark.slow
@pytest.mark.parametrize("rms", [3.0, 20.0])
def test_dithered_integers_tell_nothing_by_their_direction(rms: float) -> None:
    """Posteriors over all 256 candidates, by the law of the dithered outcomes itself.

    What is left is the scatter of 300 numbers: 1.5e-5 at rms 3, 2e-7 at rms 20 with these seeds. Uniform dither, which
    tells (step / sigma)^2 / (3 ln 2) bit, 0.0012 at rms 20, shows that the test would see it.
    """
    generator = np.random.default_rng(4)
    raw = np.rint(generator.normal(0.0, rms, 8 * 300)).astype(np.int16)
    assert abs(told_bits(dithered(raw, 1.0, source(5)), rms, gaussian)) < 1e-4
    with_box = (raw + generator.uniform(-0.5, 0.5, raw.size)).astype(np.float32)
    with np.errstate(divide="ignore"):
        assert told_bits(with_box, rms, box) > 5e-4
