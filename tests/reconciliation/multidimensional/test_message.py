"""What is refused of a peer's rotations."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.multidimensional import DIMENSIONS, RotationMessage, rotation_messages


def good(dimension: int, numbers: int = 200) -> RotationMessage:
    generator = np.random.default_rng(dimension)
    values = generator.normal(size=dimension * numbers).astype(np.float32)
    return rotation_messages(values, Bits.from_array(generator.integers(0, 2, values.size)), dimension)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_bytes_come_back(dimension: int) -> None:
    message = good(dimension)
    data = message.to_bytes()
    assert len(data) == 200 * (4 + 2 * dimension)
    again = RotationMessage.from_bytes(data, 200 * dimension, dimension)
    assert (again.rotations == message.rotations).all()
    assert (again.norms == message.norms).all()
    assert "[" not in repr(again)
    with pytest.raises(ValueError, match="read-only"):
        again.norms[0] = 1.0


@pytest.mark.parametrize("norm", [0.0, -1.0, float("nan"), float("inf"), -float("inf"), 2.0**51, 2.0**-51, 1e-45])
@pytest.mark.parametrize("place", [0, 199])
def test_norms_that_are_none(norm: float, place: int) -> None:
    data = bytearray(good(8).to_bytes())
    data[4 * place : 4 * place + 4] = struct.pack("<f", norm)
    with pytest.raises(InputError, match=f"number {place} of 200"):
        RotationMessage.from_bytes(bytes(data), 1600, 8)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("change", [-4, 4, -32767, 20000])
def test_rotations_off_the_sphere(dimension: int, change: int) -> None:
    message = good(dimension)
    rotations = message.rotations.copy()
    place = int(np.argmax(np.abs(rotations[-dimension:]))) - dimension
    rotations[place] = np.clip(int(rotations[place]) + change, -32768, 32767)
    if abs(int(rotations[place])) == abs(int(message.rotations[place])):
        return  # turned round: as far from the origin as before
    data = message.norms.tobytes() + rotations.tobytes()
    with pytest.raises(InputError, match="sphere"):
        RotationMessage.from_bytes(data, rotations.size, dimension)


@pytest.mark.parametrize(
    ("reals", "dimension"), [(1592, 8), (1608, 8), (1600, 4), (1601, 8), (0, 8), (-8, 8), (1600, 5)]
)
def test_other_lengths(reals: int, dimension: int) -> None:
    with pytest.raises(InputError):
        RotationMessage.from_bytes(good(8).to_bytes(), reals, dimension)


def test_other_arrays() -> None:
    with pytest.raises(InputError, match="int16"):
        RotationMessage(dimension=2, rotations=np.ones(2, np.int32), norms=np.ones(1, np.float32))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="float32"):
        RotationMessage(dimension=2, rotations=np.ones(2, np.int16), norms=np.ones(1))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="for each norm"):
        RotationMessage(dimension=2, rotations=np.ones(4, np.int16), norms=np.ones(1, np.float32))
