"""What Bob says of his outcomes: rotations and norms, their bytes, and what is refused of a peer's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.rotations import RADIUS, unsound_rotation
from qkdpost.checks import byte_string, described, whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation.multidimensional.dimensions import Dimension, dimension_of

__all__ = ["RotationMessage"]

MAX_REALS = 2**30
"""Of one message; one of a batch of frames has some millions."""
_SLACK = 0.05
"""Rotations are made in float32: before they are rounded they lie this close to their sphere, in steps of int16."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RotationMessage:
    """The rotations and norms of a series of outcomes, public. It knows nothing of the bits but with the outcomes.

    Args:
        dimension: reals of a number, 1, 2, 4 or 8.
        rotations: unit numbers times 32,767, each rounded to int16; shape (reals,), component by component. Not copied.
        norms: of the outcomes, in their units; float32 in 2^-50 ... 2^50, shape (reals / dimension,). Not copied.

    Raises:
        InputError: another dtype or shape, a norm that is NaN, infinite, not positive or outside that range, or a
            rotation further from the sphere than rounding takes it, sqrt(dimension) / 2 steps. `to_bytes` and
            `from_bytes` are the wire format: the norms, then the rotations, all little-endian.

    >>> message = RotationMessage(dimension=2, rotations=np.array([0, -32767], np.int16), norms=np.ones(1, np.float32))
    >>> RotationMessage.from_bytes(message.to_bytes(), reals=2, dimension=2).reals
    2
    """

    dimension: Dimension
    rotations: NDArray[np.int16] = field(repr=False)
    norms: NDArray[np.float32] = field(repr=False)

    def __post_init__(self) -> None:
        dimension = dimension_of(self.dimension)
        object.__setattr__(self, "dimension", dimension)
        rotations = _vector("rotations", self.rotations, np.int16)
        norms = _vector("norms", self.norms, np.float32)
        if rotations.size != dimension * norms.size or rotations.size > MAX_REALS:
            raise InputError(
                f"there must be {dimension} integers of rotations for each norm, at most 2^30 in all; "
                f"found {rotations.size} for {norms.size} norms"
            )
        object.__setattr__(self, "rotations", rotations)
        object.__setattr__(self, "norms", norms)
        wrong = unsound_rotation(rotations, norms, dimension, *_squares(dimension))
        if wrong >= 0:
            raise InputError(
                f"norms must be finite, in 2^-50 ... 2^50, and rotations must lie on a sphere of radius {RADIUS} up to "
                f"rounding; number {wrong} of {norms.size} does not"
            )

    @property
    def reals(self) -> int:
        """How many outcomes it is of."""
        return int(self.rotations.size)

    def to_bytes(self) -> bytes:
        """Return the norms and then the rotations, 4 + 2 `dimension` bytes for each number."""
        return self.norms.astype("<f4", copy=False).tobytes() + self.rotations.astype("<i2", copy=False).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, reals: int, dimension: int) -> RotationMessage:
        """Read what a peer sent.

        Args:
            data: the bytes.
            reals: of how many outcomes they must be, as agreed before.
            dimension: that of the link.

        Raises:
            InputError: another length, or what `RotationMessage` refuses.
        """
        checked = dimension_of(dimension)
        size = whole_number("reals", reals, most=MAX_REALS)
        if size % checked:
            raise InputError(f"reals must be a multiple of the dimension, {checked}; found {size}")
        raw = data if isinstance(data, bytes) else byte_string("data", data)
        numbers = size // checked
        if len(raw) != 4 * numbers + 2 * size:
            raise InputError(
                f"rotations and norms of {size} outcomes take {4 * numbers + 2 * size} bytes; found {len(raw)}"
            )
        norms = np.frombuffer(raw, dtype="<f4", count=numbers)
        rotations = np.frombuffer(raw, dtype="<i2", offset=4 * numbers)
        return cls(
            dimension=checked,
            rotations=rotations.astype(np.int16, copy=False),
            norms=norms.astype(np.float32, copy=False),
        )


def _vector(name: str, values: object, dtype: type[Any]) -> NDArray[Any]:
    if not isinstance(values, np.ndarray) or values.dtype != dtype or values.ndim != 1:
        raise InputError(f"{name} must be a {np.dtype(dtype).name} vector; found {described(values)}")
    kept = np.require(values, requirements=["C", "A"]).view(np.ndarray).view()
    kept.flags.writeable = False
    return kept


def _squares(dimension: int) -> tuple[int, int]:
    """Return the least and the largest square of a rotation whose components were each rounded to an integer.

    Rounding moves each of d components by 1/2 at most, hence the whole by sqrt(d) / 2.
    """
    moved = math.sqrt(dimension) * (0.5 + _SLACK)
    return math.floor((RADIUS - moved) ** 2), math.ceil((RADIUS + moved) ** 2)
