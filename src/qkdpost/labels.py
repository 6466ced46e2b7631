"""Labels: a small number beside each bit, as the intensity of a pulse, packed in planes of bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.bits import Bits
from qkdpost.checks import described, small_integers, whole_number
from qkdpost.errors import InputError

__all__ = ["LABEL_PLANES", "MAX_LABEL", "Labels"]

LABEL_PLANES = 3
"""Bits of a label: enough for eight intensities."""
MAX_LABEL = 2**LABEL_PLANES - 1

_INTENSITIES_HINT = "They are indices into link.intensities: 0 is the strongest"
_LABELS_HINT = "Labels.from_array takes the numbers themselves"


@dataclass(frozen=True, slots=True)
class Labels:
    """Small numbers, 0 ... 7, one for each pulse or sifted bit, packed as three planes of bits.

    Args:
        planes: bit p of every label, for p = 0, 1, 2; all of one length.

    >>> import numpy as np, qkdpost as qp
    >>> labels = qp.Labels.from_array([0, 2, 1, 0])
    >>> len(labels), labels.where(0).tolist()
    (4, [1, 0, 0, 1])
    >>> np.asarray(labels).tolist()
    [0, 2, 1, 0]
    """

    planes: tuple[Bits, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.planes, tuple) or not all(isinstance(plane, Bits) for plane in self.planes):
            raise InputError(f"planes must be a tuple of Bits; found {described(self.planes)}. {_LABELS_HINT}")
        if len(self.planes) != LABEL_PLANES or len({len(plane) for plane in self.planes}) != 1:
            raise InputError(
                f"planes must be {LABEL_PLANES} of one length; found lengths {[len(plane) for plane in self.planes]}"
            )

    @classmethod
    def from_array(cls, labels: ArrayLike) -> Labels:
        """Pack integers 0 ... 7, shape (n,).

        Raises:
            InputError: not a vector of such integers.
        """
        values = small_integers("intensities", labels, most=MAX_LABEL, hint=_INTENSITIES_HINT)
        return cls(tuple(Bits.from_array((values >> plane & 1).view(np.bool_)) for plane in range(LABEL_PLANES)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the numbers themselves, shape (n,), uint8, for `numpy.asarray(labels)`."""
        if copy is False:
            raise ValueError("an array of labels is always a copy: they are packed in bits; leave out copy=False")
        numbers = np.zeros(len(self), dtype=np.uint8)
        for place, plane in enumerate(self.planes):
            numbers |= np.asarray(plane).astype(np.uint8) << np.uint8(place)
        return numbers if dtype is None else numbers.astype(dtype)

    def select(self, mask: Bits) -> Labels:
        """Return the labels at which `mask` is one, in order."""
        return Labels(tuple(plane.select(mask) for plane in self.planes))

    def take(self, positions: ArrayLike) -> Labels:
        """Return the labels at `positions`, in that order."""
        return Labels(tuple(plane.take(positions) for plane in self.planes))

    def where(self, label: int) -> Bits:
        """Return a mask of the places that have `label`."""
        label = whole_number("label", label, most=MAX_LABEL)
        found = ~Bits.zeros(len(self))
        for number, plane in enumerate(self.planes):
            found = found & (plane if label >> number & 1 else ~plane)
        return found

    def __repr__(self) -> str:
        return f"Labels(length={len(self)})"

    def __len__(self) -> int:
        return len(self.planes[0])
