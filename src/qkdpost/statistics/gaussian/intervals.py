r"""One-sided limits on means, gains and variances of normal outcomes, down to probabilities of 1e-60.

With m independent normal outcomes, a sum of squares about what was fitted, divided by the true variance, is chi-square
distributed with `degrees` degrees of freedom (the outcomes less the fitted parameters), and an estimated gain or mean,
less its true value and divided by its estimated standard error, is Student distributed with as many. So the limits are
quantiles of these, and nothing here is asymptotic but the series below.

Quantiles of chi-square with many degrees of freedom
    Inverses of the incomplete gamma function, as scipy has them, lose the far tail where there are many degrees of
    freedom, and on the unsafe side: the deviation from the mean is short by 3.5e-4 of itself at 1e7 and by several
    per cent from 1e9 on. From `SERIES_FROM` degrees of freedom on the quantile is the expansion of Cornish and Fisher,
    with z the normal quantile and nu the degrees of freedom,

        c = nu - z sqrt(2 nu) + 2 (z^2 - 1) / 3 - z (z^2 - 7) / (9 sqrt(2 nu)) - (6 z^4 + 14 z^2 - 32) / (405 nu),

    (Goldberg and Levine, Ann. Math. Statist. 17, 216 (1946)), and the same with -z for the upper end. The term after
    the last has the sign of -z (9 z^4 + 256 z^2 - 433): it lowers the lower quantile and raises the upper one. A tenth
    of the last term is therefore taken off, or put on, which is more than all that is left out: for nu of 1e5 and z of
    12 that is 0.03, and the next term 0.001. Where they meet, series and scipy agree to
    2e-9 of the deviation, at probabilities from 0.3 to 1e-30; below `SERIES_FROM` scipy's quantile is taken, and a
    millionth of the deviation is conceded.

Weighted sums
    Where outcomes have unequal variances a_i, or are correlated, so that the sum of their squares is a sum of a_i g_i^2
    with independent standard normal g_i, Laurent and Massart (Ann. Statist. 28, 1302 (2000), lemma 1) have

        P[sum a_i (g_i^2 - 1) <= -2 sqrt(x sum a_i^2)] <= exp(-x),

    a rigorous tail, some 7 % wider than the exact one at 1e-10.
"""

from __future__ import annotations

import math

from scipy import special

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError

__all__ = [
    "SERIES_FROM",
    "chi_square_lower",
    "chi_square_upper",
    "normal_quantile",
    "student_quantile",
    "variance_limits",
    "weighted_chi_square_lower",
]

SERIES_FROM = 100_000
"""From so many degrees of freedom on quantiles are taken from a series; below from scipy."""
_CONCEDED = 1e-6
"""Of the deviation of a quantile from the mean, where scipy gave it."""
_LEAST_PROBABILITY = 1e-80
_MOST_DEGREES = 2**53


def normal_quantile(probability: float) -> float:
    """Return z with P[g >= z] = probability for a standard normal g: the upper quantile, with all digits in the tail.

    >>> round(normal_quantile(1e-10 / 24), 10)
    6.8326961688

    Args:
        probability: 1e-80 ... 1/2.

    Raises:
        InputError: it is out of range.
    """
    return -float(special.ndtri(_tail(probability)))


def student_quantile(probability: float, degrees: int) -> float:
    """Return an upper bound on the upper quantile of Student's distribution.

    Args:
        probability: 1e-80 ... 1/2.
        degrees: of freedom, at least 1.

    Raises:
        InputError: an argument out of range.
    """
    probability, nu = _tail(probability), float(_degrees(degrees))
    if nu < SERIES_FROM:
        found = -float(special.stdtrit(nu, probability)) * (1.0 + _CONCEDED)
        return found if math.isfinite(found) else math.inf
    z = normal_quantile(probability)
    # Fisher's series; its terms beyond these are smaller than a tenth of the last one.
    return z + (z**3 + z) / (4.0 * nu) + 1.1 * (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / (96.0 * nu * nu)


def chi_square_lower(probability: float, degrees: int, *, widened: float = 1.0) -> float:
    """Return a lower bound on the lower quantile of a chi-square variable: it is smaller with this probability at most.

    Args:
        probability: 1e-80 ... 1/2.
        degrees: of freedom, at least 1.
        widened: by how much the normal quantile is multiplied, where squares are correlated.

    Returns:
        The bound, 0 or more.

    Raises:
        InputError: an argument out of range.
    """
    nu, z = float(_degrees(degrees)), _widened(probability, widened)
    if nu < SERIES_FROM:
        quantile = 2.0 * float(special.gammaincinv(nu / 2.0, float(special.ndtr(-z))))
        return max(0.0, quantile - _CONCEDED * abs(nu - quantile))
    series, last = _series(nu, -z)
    return series - last - 0.1 * abs(last)


def chi_square_upper(probability: float, degrees: int, *, widened: float = 1.0) -> float:
    """Return an upper bound on the upper quantile of a chi-square variable; arguments as of `chi_square_lower`.

    Raises:
        InputError: an argument out of range.
    """
    nu, z = float(_degrees(degrees)), _widened(probability, widened)
    if nu < SERIES_FROM:
        quantile = 2.0 * float(special.gammainccinv(nu / 2.0, float(special.ndtr(-z))))
        return quantile + _CONCEDED * abs(quantile - nu)
    series, last = _series(nu, z)
    return series - last + 0.1 * abs(last)


def variance_limits(squares: float, degrees: int, probability: float, *, widened: float = 1.0) -> tuple[float, float]:
    """Return limits on a variance, each wrong with this probability at most.

    >>> low, high = variance_limits(1.1 * 1e9, 10**9, 1e-10 / 6)
    >>> round(low, 6), round(high, 6)
    (1.099674, 1.100326)

    Args:
        squares: the sum of squares about what was fitted.
        degrees: of freedom: the outcomes less the fitted parameters.
        probability: of either event.
        widened: as in `chi_square_lower`.

    Raises:
        InputError: an argument out of range.
    """
    squares = real_number("squares", squares, least=0.0)
    lower = chi_square_lower(probability, degrees, widened=widened)
    upper = chi_square_upper(probability, degrees, widened=widened)
    return squares / upper, squares / lower if lower > 0.0 else math.inf


def weighted_chi_square_lower(probability: float, degrees: int, spread: float) -> float:
    """Return what a sum of a_i g_i^2, in units of the mean weight, falls short of with this probability at most.

    Args:
        probability: 1e-80 ... 1/2.
        degrees: how many terms there are, at least 1.
        spread: an upper limit of the mean of a_i^2 over the square of the mean of a_i: at least 1.

    Returns:
        degrees - 2 sqrt(spread degrees ln(1 / probability)); 0 if that is negative.

    Raises:
        InputError: an argument out of range.
    """
    nu = float(_degrees(degrees))
    spread = real_number("spread", spread, least=1.0)
    return max(0.0, nu - 2.0 * math.sqrt(spread * nu * -math.log(_tail(probability))))


def _series(nu: float, z: float) -> tuple[float, float]:
    """Return the quantile at z without the last term, and the last term, which is to be subtracted."""
    root = math.sqrt(2.0 * nu)
    series = nu + z * root + 2.0 / 3.0 * (z * z - 1.0) + z * (z * z - 7.0) / (9.0 * root)
    return series, (6.0 * z**4 + 14.0 * z * z - 32.0) / (405.0 * nu)


def _widened(probability: float, widened: float) -> float:
    z = normal_quantile(probability) * real_number("widened", widened, least=1.0)
    if z > 30.0:
        raise InputError(f"widened must leave a normal quantile of at most 30; found {z:.4g}")
    return z


def _tail(probability: float) -> float:
    return real_number("probability", probability, least=_LEAST_PROBABILITY, most=0.5)


def _degrees(degrees: int) -> int:
    return whole_number("degrees", degrees, least=1, most=_MOST_DEGREES)
