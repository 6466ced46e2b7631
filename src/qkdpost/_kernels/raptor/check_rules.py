"""What checks answer, in half-words side by side: the sum-product rule for weak checks and for strong ones.

A message of value x in nats is kept in *units*, whole numbers. How long a unit is, each lane has for itself: it is
SCALE steps of REACH / 2^16 nats. The constants of a lane stand in one column of an array, in the places below.

*Weak* checks hold a bit whose channel is weak. With t = tanh(|x| / 2) of the other edges as fractions, their answer
2 atanh(t_1 t_2 ...) is bounded by that bit's own ratio, so that a polynomial in the square of the product is enough.
For tanh, with y = max(0, 1 - |x| / REACH), a polynomial in y^2 of degree 3 is within 1 % of it everywhere, 2.3 % below
it at the end. It costs four multiplications, and no table.

*Strong* checks have no such bound. They combine magnitudes pairwise, min(a, b) - c(|a - b|) + c(a + b), with
c(x) = ln(1 + exp(-x)) replaced by its tangents of slope -1/2, -1/4, -1/8 and -1/16.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import inlined_kernel
from qkdpost._kernels.ldpc.lanes import (
    larger_unsigned,
    magnitude,
    shift_right_unsigned,
    smaller_unsigned,
    spread,
)
from qkdpost._kernels.raptor.half_words import (
    add,
    multiply_fraction,
    multiply_low,
    subtract_unsigned_saturated,
)

__all__ = [
    "ANSWER",
    "ANSWER_SHIFT",
    "CAP",
    "CONSTANTS",
    "MAX_WEAK",
    "PRIOR",
    "REACH",
    "SCALE",
    "TANGENTS",
    "combine",
    "hyperbolic_tangent",
    "soft_step",
    "weak_answer",
]

Lanes = NDArray[Any]

REACH = 5.0
"""In nats: ratios beyond are taken for this."""

# The places of the constants.
SCALE = 0
"""Of a magnitude in units, by which it is multiplied to a fraction of REACH."""
CAP = 1
"""The largest magnitude in units for which that is below 1."""
PRIOR = 2
"""Of a prior, tanh of half a channel ratio kept as a byte: by which it is multiplied to a fraction."""
ANSWER = 3
"""Three coefficients of 2 atanh(p) / p in powers of p^2, in units of 2^-ANSWER_SHIFT."""
TANGENTS = 6
"""Where the tangents of 4 ln(1 + exp(-x)) of slope -1, -2, -1/2 and -1/4 meet zero, in units."""
CONSTANTS = 10

ANSWER_SHIFT = 7
MAX_WEAK = 127
"""At which the answers of weak checks are held, in units: they are kept as bytes."""

_END = 64035
_FIRST, _SECOND, _THIRD = 6783, 41124, 15892
"""tanh = END - 2 u (FIRST + u (SECOND - u THIRD)) in fractions, u = y^2."""


@inlined_kernel
def hyperbolic_tangent(units: Lanes, scale: Lanes, cap: Lanes, table: Lanes) -> Lanes:
    """Return tanh(|x| / 2) as a fraction; `table` is any array of the lanes' type."""
    distance = multiply_low(smaller_unsigned(magnitude(units), cap), scale)
    y = subtract_unsigned_saturated(spread(table, -1), distance)
    u = multiply_fraction(y, y)
    inner = subtract_unsigned_saturated(spread(table, _SECOND), multiply_fraction(u, spread(table, _THIRD)))
    half = multiply_fraction(u, add(spread(table, _FIRST), multiply_fraction(u, inner)))
    return subtract_unsigned_saturated(spread(table, _END), add(half, half))


@inlined_kernel
def weak_answer(product: Lanes, first: Lanes, second: Lanes, third: Lanes, table: Lanes) -> Lanes:
    """Return 2 atanh of a fraction in units, to the nearest, at most MAX_WEAK."""
    square = multiply_fraction(product, product)
    factor = add(first, multiply_fraction(square, add(second, multiply_fraction(square, third))))
    answer = add(multiply_fraction(product, factor), spread(table, 1 << (ANSWER_SHIFT - 1)))
    return smaller_unsigned(shift_right_unsigned(answer, ANSWER_SHIFT), spread(table, MAX_WEAK))


@inlined_kernel
def soft_step(x: Lanes, one: Lanes, two: Lanes, half: Lanes, quarter: Lanes) -> Lanes:
    """Return 4 ln(1 + exp(-x)) in units by the tangents that meet zero at `one` and so on."""
    steep = subtract_unsigned_saturated(two, x)
    flat = larger_unsigned(
        shift_right_unsigned(subtract_unsigned_saturated(half, x), 1),
        shift_right_unsigned(subtract_unsigned_saturated(quarter, x), 2),
    )
    return larger_unsigned(larger_unsigned(add(steep, steep), subtract_unsigned_saturated(one, x)), flat)


@inlined_kernel
def combine(left: Lanes, right: Lanes, one: Lanes, two: Lanes, half: Lanes, quarter: Lanes) -> Lanes:
    """Return the magnitude of what two magnitudes below 2^15 say together, in units."""
    low = smaller_unsigned(left, right)
    near = soft_step(subtract_unsigned_saturated(larger_unsigned(left, right), low), one, two, half, quarter)
    far = soft_step(add(left, right), one, two, half, quarter)
    return subtract_unsigned_saturated(low, shift_right_unsigned(subtract_unsigned_saturated(near, far), 2))
