"""Rotations, the channel behind them and the way back, beside the recipe and an independent program's vector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.multidimensional import (
    DIMENSIONS,
    RotationMessage,
    rebuild_outcomes,
    rotation_messages,
    virtual_channel,
)
from reference import hypercomplex

Y = np.array((0.7, -1.2, 0.3, 2.1, -0.4, 0.9, -1.6, 0.5), dtype=np.float32)
X = np.array((0.65, -1.0, 0.1, 1.7, -0.2, 1.1, -1.3, 0.2), dtype=np.float32)
BITS = [0, 1, 1, 0, 1, 0, 0, 1]
ROTATION = (
    0.3208781413351176,
    0.2544895603692312,
    -0.5864324651986632,
    -0.1659714524147161,
    0.4315257762782616,
    0.4536553032668904,
    0.2323600333806023,
    0.1217123984374584,
)
RATIOS = (4.53375, -5.25375, -7.95375, 5.64375, -6.88875, 6.63375, 6.33375, -7.78875)


def drawn(count: int, seed: int) -> tuple[NDArray[np.float32], Bits]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=count).astype(np.float32), Bits.from_array(generator.integers(0, 2, count))


def test_the_vector_of_an_independent_program() -> None:
    message = rotation_messages(Y, Bits.from_array(BITS), 8)
    assert message.norms[0] == pytest.approx(3.195309061734092, rel=2.0**-12)
    assert message.rotations / 32767 == pytest.approx(np.array(ROTATION), abs=0.51 / 32767)
    found = virtual_channel(X, message, gain=0.9, noise_variance=0.3).values
    assert found[0] == pytest.approx(np.array(RATIOS), rel=3e-4)
    assert rebuild_outcomes(message, Bits.from_array(BITS)) == pytest.approx(Y, abs=5e-4)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("numbers", [1, 127, 128, 129, 300])
def test_everything_as_by_the_recipe(dimension: int, numbers: int) -> None:
    values, bits = drawn(dimension * numbers, seed=dimension)
    sent, _ = drawn(dimension * numbers, seed=99)
    message = rotation_messages(values, bits, dimension)
    ratios = virtual_channel(sent, message, gain=0.5, noise_variance=2.0).values[0]
    rebuilt = rebuild_outcomes(message, bits)
    for number in range(numbers):
        place = slice(dimension * number, dimension * (number + 1))
        own = list(bits[place])
        rotation, norm = hypercomplex.rotation(values[place], own)
        assert message.norms[number] == pytest.approx(norm, rel=2.0**-12 + 1e-6)
        norm = float(message.norms[number])
        assert np.abs(message.rotations[place] - 32767 * rotation).max() < 0.55
        rounded = message.rotations[place] / 32767
        turned = hypercomplex.multiply(rounded, sent[place])
        assert ratios[place] == pytest.approx(2 * norm * 0.5 * turned / (np.sqrt(dimension) * 2.0), abs=1e-5)
        back = norm * hypercomplex.multiply(hypercomplex.conjugate(rounded), hypercomplex.signs_of(own))
        assert rebuilt[place] == pytest.approx(back, abs=1e-5)


@given(st.sampled_from(DIMENSIONS), st.integers(0, 2**32), st.integers(1, 40), st.floats(1e-6, 1e6))
def test_round_trip_with_any_values(dimension: int, seed: int, numbers: int, scale: float) -> None:
    values, bits = drawn(dimension * numbers, seed)
    values = (values * scale).astype(np.float32)
    message = rotation_messages(values, bits, dimension)
    again = RotationMessage.from_bytes(message.to_bytes(), values.size, dimension)
    norms = np.repeat(message.norms, dimension)
    assert (
        np.abs(rebuild_outcomes(again, bits) - values).max() <= (norms * (np.sqrt(dimension) / 32767 + 2.0**-12)).max()
    )
    # The rotation takes the outcomes themselves to the bits.
    ratios = virtual_channel(values, again, gain=1.0, noise_variance=1.0).values[0]
    assert Bits.from_array(ratios < 0) == bits


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_rotation_of_the_recipe_is_exact(dimension: int) -> None:
    """a y' = u holds for the twin to the last digits: octonions are not associative, but alternative."""
    values, bits = drawn(dimension, seed=5)
    rotation, norm = hypercomplex.rotation(values.astype(np.float64), list(bits))
    turned = hypercomplex.multiply(rotation, values.astype(np.float64) / norm)
    assert turned == pytest.approx(hypercomplex.signs_of(list(bits)), abs=1e-12)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_zero_vectors_tell_nothing(dimension: int) -> None:
    generator = np.random.default_rng(8)
    values = np.zeros(2 * dimension, dtype=np.float32)
    messages = {
        rotation_messages(values, Bits.from_array(generator.integers(0, 2, values.size)), dimension).to_bytes()
        for _ in range(20)
    }
    assert len(messages) == 1
    message = RotationMessage.from_bytes(messages.pop(), values.size, dimension)
    bits = Bits.from_array(generator.integers(0, 2, values.size))
    assert np.abs(rebuild_outcomes(message, bits)).max() < 1e-14
    assert np.abs(virtual_channel(values + 1, message, gain=1.0, noise_variance=1.0).values).max() < 1e-14


def test_symbols_are_taken_quadrature_by_quadrature_and_not_copied() -> None:
    values, bits = drawn(64, seed=1)
    pairs = values.reshape(32, 2)
    assert rotation_messages(pairs, bits, 8).to_bytes() == rotation_messages(values, bits, 8).to_bytes()
    message = rotation_messages(pairs, bits, 8)
    assert virtual_channel(pairs, message, 1.0, 1.0, frames=4).values.shape == (4, 16)


@pytest.mark.slow
@pytest.mark.parametrize("dimension", [2, 8])
def test_the_gain_survives_rounding(dimension: int) -> None:
    """Of 2^24 outcomes: the gain of what is rebuilt is 1 to within 6.5 standard errors (1e-10)."""
    values, bits = drawn(2**24, seed=3)
    rebuilt = rebuild_outcomes(rotation_messages(values, bits, dimension), bits)
    own = values.astype(np.float64)
    gain = float(own @ rebuilt / (own @ own))
    assert abs(gain - 1.0) < 6.5 * np.sqrt(dimension) / 32767 / np.sqrt(12.0) / 2**12 + 6e-8


@pytest.mark.parametrize(
    ("values", "count", "dimension", "message"),
    [
        (np.ones(8), 7, 8, "one bit"),
        (np.ones(8), 8, 3, "dimension must be 1, 2, 4 or 8"),
        (np.ones(8), 8, 16, "dimension must be an integer"),
        (np.ones(9), 9, 8, "whole numbers of 8"),
        (np.ones((4, 2)), 8, 1, "2 or more"),
        (np.ones((4, 3)), 12, 2, "shape"),
        (np.array([1.0] * 15 + [np.nan]), 16, 8, "must be finite"),
        (np.array([1.0] * 15 + [np.inf]), 16, 8, "must be finite"),
        (np.array([1e30] * 8), 8, 8, "2\\^50"),
        (np.array([1e300] * 8), 8, 8, "must be finite"),
        (np.ones(8, dtype=complex), 8, 8, "complex"),
        ("a", 1, 1, "array of real numbers"),
    ],
)
def test_wrong_outcomes_are_refused(values: object, count: int, dimension: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rotation_messages(values, Bits.zeros(count), dimension)


def test_wrong_symbols_are_refused() -> None:
    message = rotation_messages(Y, Bits.from_array(BITS), 8)
    for arguments, text in (
        ((X[:4], message, 1.0, 1.0), "whole numbers"),
        ((np.ones(16), message, 1.0, 1.0), "a real for each"),
        ((X, message, 0.0, 1.0), "gain"),
        ((X, message, 1.0, float("nan")), "noise_variance"),
        ((np.where(X > 1, np.nan, X), message, 1.0, 1.0), "NaN"),
        ((X, "message", 1.0, 1.0), "RotationMessage"),
    ):
        with pytest.raises(InputError, match=text):
            virtual_channel(*arguments)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="frames of equal length"):
        virtual_channel(X, message, 1.0, 1.0, frames=3)
    with pytest.raises(InputError, match="one bit"):
        rebuild_outcomes(message, Bits.zeros(7))


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_norms_say_nothing_of_the_lattice_of_float32(dimension: int) -> None:
    values, bits = drawn(4000 * dimension, seed=5)
    norms = rotation_messages(values, bits, dimension).norms
    assert not (norms.view(np.uint32) & np.uint32(0xFFF)).any()
    exact = np.sqrt(np.square(values.reshape(-1, dimension).astype(np.float64)).sum(axis=1))
    off = norms / exact - 1.0
    assert np.abs(off).max() <= 2.0**-12 + 1e-6
    # To the nearest: 4000 errors of at most 2^-12 have a mean beyond this with a probability below 1e-9 (Hoeffding).
    assert abs(off.mean()) < 2.0**-12 * np.sqrt(2.0 * np.log(2e9) / 4000)
