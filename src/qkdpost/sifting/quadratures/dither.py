"""Noise that takes outcomes off the lattice of a converter, before anything is made of them.

The direction of outcomes on a lattice tells their bits: of eight integers of rms 20, a third of the bits that a
rotation should hide. Uniform dither of one step leaves a density in the shape of stairs, which still tells
(step / sigma)^2 / (24 ln 2) bit a real. What smooths a lattice is how fast the characteristic function of the dither
falls: at the frequency of the lattice, that of a normal law with a deviation of one step is exp(-2 pi^2) = 2.7e-9, and
the ripple that is left in the density is twice that. For outcomes of rms 2 steps or more eight reals then tell 1.5e-8
bit at most, and 3e-11 from 5 on.

The variates are of Box and Muller, of two words of 32 uniform bits: their law is normal but for its tail, which ends at
sqrt(-2 ln 2^-33) = 6.76 deviations, and for a grid of 2^-32 in probability. Its distance from the normal law in total
variation is below 1e-9, by as much the characteristic function may be off, and nothing else of it matters: dither is
noise of the receiver, the same in calibration and use, and no estimate takes it to be normal to more than that.

Calibration records get the same dither. Then it is noise that belongs to the receiver and is part of the unit; noise
that only the outcomes had would be conceded to the eavesdropper.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.affine import add_dither
from qkdpost.checks import real_array, real_number
from qkdpost.errors import InputError

__all__ = ["dithered"]

RandomSource = Callable[[int], bytes]
_CHUNK = 2**20


def dithered(
    values: Any, adc_step: float | None, random_source: RandomSource = secrets.token_bytes
) -> NDArray[np.float32]:
    """Return outcomes with a normal variate of standard deviation `adc_step` added to each. Secret.

    Args:
        values: raw outcomes, shape (n,) or (n, 2), float32 or int16: a piece of a record, for the result is another
            array of that size.
        adc_step: the distance of neighbours on the lattice, as the record says; None where there is none, and the
            values come back as they are.
        random_source: returns the number of truly random bytes asked for, 4 an outcome; of a cryptographic generator.

    Raises:
        InputError: other arguments, or a source that returns something else.
    """
    kept = real_array("values", values, columns=2 if getattr(values, "ndim", 1) == 2 else None, integers=True)
    if adc_step is None:
        return kept.astype(np.float32, copy=False)
    deviation = real_number("adc_step", adc_step, above=0.0, most=1e30)
    output = np.empty(kept.shape, dtype=np.float32)
    flat, written = kept.reshape(kept.size), output.reshape(kept.size)
    for start in range(0, flat.size, _CHUNK):
        piece = flat[start : start + _CHUNK]
        wanted = 8 * ((piece.size + 1) // 2)
        drawn = random_source(wanted)
        if not isinstance(drawn, bytes | bytearray) or len(drawn) != wanted:
            del drawn
            raise InputError(
                f"random_source must return as many bytes as it is asked, {wanted}; it returned something else"
            )
        words = np.frombuffer(bytes(drawn), dtype="<u4").astype(np.uint32, copy=False)
        add_dither(piece, words, deviation, written[start : start + _CHUNK])
    return output
