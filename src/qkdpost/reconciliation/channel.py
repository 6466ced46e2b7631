"""What a decoder knows about each bit before it decodes: the channel to the word it looks for.

With discrete variables the word sought is the error pattern, and the channel a binary symmetric one. With continuous
variables it is the reference's word, and each of its bits comes with a log-likelihood ratio of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import instance, whole_number
from qkdpost.errors import InputError

__all__ = ["MAX_ERROR_RATE_PPM", "BinarySymmetric", "Channel", "LogLikelihoods", "UnsupportedChannel"]

MAX_ERROR_RATE_PPM = 499_999


class UnsupportedChannel(InputError):
    """A decoder was given a kind of channel that it cannot take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BinarySymmetric:
    """Every bit of every frame is 1 with the same probability, but for bits that are known, or wholly unknown.

    Args:
        error_rate_ppm: ones expected in 10^6 bits, 1 to 499,999.
        known: a mask of the frame's bits that are 0 for certain; None for none.
        unknown: a mask of the frame's bits that are 0 or 1 with equal probability; None for none.

    Raises:
        InputError: a rate outside its range, a mask that is not `Bits`, or two masks of different lengths.
    """

    error_rate_ppm: int
    known: Bits | None = None
    unknown: Bits | None = None

    def __post_init__(self) -> None:
        rate = whole_number("error_rate_ppm", self.error_rate_ppm, least=1, most=MAX_ERROR_RATE_PPM)
        object.__setattr__(self, "error_rate_ppm", rate)
        for name, mask in (("known", self.known), ("unknown", self.unknown)):
            if mask is not None:
                instance(name, mask, Bits)
        if self.known is not None and self.unknown is not None and len(self.known) != len(self.unknown):
            raise InputError(
                f"known and unknown must have the same length; found {len(self.known)} and {len(self.unknown)} bits"
            )

    def require_shape(self, frame_bits: int) -> None:
        """Check that the masks fit frames of `frame_bits`.

        Raises:
            InputError: one of them does not.
        """
        for name, mask in (("known", self.known), ("unknown", self.unknown)):
            if mask is not None and len(mask) != frame_bits:
                raise InputError(f"{name} must have one bit for each of the frame's {frame_bits}; found {len(mask)}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogLikelihoods:
    """Every bit of every frame has a log-likelihood ratio of its own.

    Args:
        values: ln(Pr(bit = 0) / Pr(bit = 1)) in nats, float32, shape (frames, frame bits): positive where 0 is the
            likelier value, 0 where nothing is known, plus or minus infinity where the bit is certain. Not copied.
            Its signs are a guess at the word sought: as secret as that.

    Raises:
        InputError: another dtype or number of dimensions, or a value that is not a number.
    """

    values: NDArray[np.float32] = field(repr=False)

    def __post_init__(self) -> None:
        values = self.values
        if not isinstance(values, np.ndarray) or values.dtype != np.float32 or values.ndim != 2:
            found = (
                f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
            )
            raise InputError(f"values must be a float32 array of shape (frames, frame bits); found {found}")
        if any(np.isnan(row).any() for row in values):
            raise InputError("values must not hold NaN; use 0 for a bit of which nothing is known")

    def require_shape(self, frames: int, frame_bits: int) -> None:
        """Check that there is a value for every bit of `frames` frames.

        Raises:
            InputError: there is not.
        """
        if self.values.shape != (frames, frame_bits):
            raise InputError(f"values must have the shape ({frames}, {frame_bits}); found {self.values.shape}")


Channel = BinarySymmetric | LogLikelihoods
"""What a decoder may be given; one that cannot take a kind of it raises `UnsupportedChannel`."""
