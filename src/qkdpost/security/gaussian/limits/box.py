r"""Limits on gain and noise of the channel from a block's sums, and the most that an eavesdropper holds within them.

Outcomes are counted in estimated units (`calibration`), y_j = sum_k T_jk x_k + z_j with normal z of any covariance
matrix; Alice's sums are known exactly. Let t = (T_00 + T_11) / 2, r = y - t x, and s2 = (E r_0^2 + E r_1^2) / 2.

Why t and s2 are enough
    Let both hosts, in thought, turn their data by one of four angles, 0, 90, 180 or 270 degrees, the same for both up
    to the sign that entanglement asks for, drawn at random for each symbol and announced. Outcomes turn into each
    other, so that nobody learns anything else than before: chi is, on average over x and p with homodyne detection,
    what it was. The state that both share with the angle forgotten has a purification, and the eavesdropper who holds
    it can do all that one can who holds her part of the state before, and the angle. Its covariance matrix is the
    average: of T what remains is t times the identity and a turn (T_10 - T_01) / 2, and the variance of either of
    Bob's quadratures is the mean of both. Of all states of one covariance matrix the Gaussian one gives her most.
    A turn leaves Bob's variance as it is and adds to the squared correlation; without it she holds more, as less
    correlation at the same variances does. What of T is not t, and the noise, is then all in s2.

"gaussian-collective": what passes a test
    t is estimated by t' = (T'_00 + T'_11) / 2 with T' of the regression on both symbols. Given x it is normal, without
    bias, with variance tr(C G^-1) / 4, where C is the covariance matrix of z and G the sums of x_k x_l; with C at most
    that of r, this is at most s2 tr(G^-1) (1 + sqrt(kappa) h) / 4, h the anisotropy of G^-1 (which is known) and
    kappa that of r. As a function of its true t,

        R = sum (r - mean)^2 over both quadratures = sum of a_i g_i^2,

    with independent standard normal g_i and weights whose mean is s2 and whose mean square is at most
    (1 + kappa) s2^2: x is normal too, so that r is, for every symbol alike. Hence the limit of Laurent and Massart,

        s2_+ = R(t) / (nu - 2 sqrt(1.03 nu ln(1 / e))),

    at the worst t in t' +- w. The half-width is w = 1.03 times what Student's distribution has for the estimated s2.
    The factor covers what the estimate falls short of s2_+, and h: where they need more than that, there is no key.
    Both limits hold if |delta|, |rho| <= 0.17 together, kappa = delta^2 + rho^2 <= 0.03; blocks in which more than 0.1
    of either is *seen* have no key, and with a million outcomes that what is seen is short by 0.02 has a probability
    below 1e-50. Gains of x and p may differ by 5 %, and 20 % may go across.
    With homodyne detection x and p are measured in different symbols: the means of both residuals are averaged, and nu
    is twice the lesser number. Nothing is seen across, and nothing needs to be: it is noise there.

"phase-insensitive-gaussian-collective": nothing is tested
    T = t and C = s2, up to the units, whose ratios to the estimates lie in low ... high. With one gain for both
    quadratures the residual sum of squares is, in true units, at least `low` times a chi-square variable times s2: it
    is z' D^(1/2) P D^(1/2) z, with P a projection of rank nu and the ratios D >= low, whose nonzero eigenvalues are
    those of P D P and at least low; a shift by what P leaves of the gain only adds. With two gains it is smaller, and
    independent of both gains, so that Student's distribution with one degree of freedom less, times the root of
    high / low, gives the half-width.

From estimated to true units
    Divide by the ratios: t_+ by the root of low, t_- by that of high, s2_+ by low. Where both quadratures are told
    apart, their ratios may differ: with c = t (low^(-1/2) - high^(-1/2)) / 2 and d the limit of |T_00 - T_11| / 2,
    minimising E |y - t x|^2 over t gives s2 <= s2_+ / low + V c^2 + 2 V c d / sqrt(low), and t moves by c d / t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qkdpost.security.gaussian.holevo import Detection, holevo_of_gain
from qkdpost.security.gaussian.limits.calibration import Contradiction, Units
from qkdpost.security.gaussian.limits.regression import BlockSums, Matrix
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.statistics.gaussian.intervals import (
    chi_square_lower,
    normal_quantile,
    student_quantile,
    weighted_chi_square_lower,
)

__all__ = [
    "Box",
    "channel_box",
    "half_width_if_tested",
    "largest_information",
    "noise_if_tested",
    "untested_limits",
    "worst_information",
]

SPREAD = 1.03
"""What the mean square of the weights may exceed the square of their mean by, and the half-width Student's."""
LEAST_TESTED = 500_000
"""Outcomes of either quadrature, for the test of phase sensitivity to mean anything."""
_SEEN = 0.1
_GAINS_APART = 0.05
_GAINS_ACROSS = 0.2
_GRID = 7
_SUMS = 1e-12
"""By what part of themselves sums in floating point may be off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Limits in units of shot and electronic noise, or of shot noise for an untrusted receiver.

    Args:
        gain_low: of t.
        gain_high: of t.
        noise_high: of s2.
        efficiency: the upper limit of the receiver's.
        gain: the estimate.
        noise: the estimate.
    """

    gain_low: float
    gain_high: float
    noise_high: float
    efficiency: float
    gain: float
    noise: float

    @property
    def excess_noise(self) -> float:
        """The estimate of xi at the channel's input; negative where the noise was by chance below that of vacuum."""
        return (self.noise - 1.0) / self.gain**2


def channel_box(
    sums: BlockSums, units: Units, settings: GaussianBoundSettings, detection: Detection, probability: float
) -> Box:
    """Return the limits, of which each is wrong with this probability at most; there are at most four such events.

    Args:
        sums: of the block, in raw units.
        units: from the calibration.
        settings: the class of attacks and the modulation variance.
        detection: "heterodyne" or "homodyne".
        probability: of each event.

    Raises:
        Contradiction: there is no certain gain, the limits contradict the calibration or what a channel can do, or the
            block does not pass the test of its class of attacks.
    """
    scaled = sums.scaled(units.units)
    if min(scaled.sent[0, 0], scaled.sent[1, 1]) <= 0.0 or np.linalg.det(scaled.sent) <= 0.0:
        raise Contradiction("Alice's symbols do not vary")
    largest_variance = settings.modulation_variances[1]
    apart = 0.0
    if settings.attacks == "gaussian-collective":
        gain, width, noise, apart = _tested(scaled, detection, probability)
        limits = (gain - width, gain + width, noise)
    else:
        gain, width, noise = _untested(scaled, units.high / units.low, probability)
        limits = (gain - width, gain + width, noise)
    if not limits[0] > 0.0:
        raise Contradiction("no gain is certain: outcomes may have nothing to do with symbols")
    likely = float(np.trace(scaled.residuals(gain))) / (sum(sums.counts) - 3)
    return _in_true_units(limits, apart, largest_variance, units, detection, (gain, likely))


def half_width_if_tested(standard_error: float, degrees: int, probability: float) -> float:
    """Return the half-width w of the gain for "gaussian-collective"; see the module.

    Args:
        standard_error: of the gain, from the estimated noise.
        degrees: nu.
        probability: of either event.
    """
    return SPREAD * student_quantile(probability, degrees) * standard_error


def noise_if_tested(squares: float, degrees: int, probability: float) -> float:
    """Return the noise limit of "gaussian-collective"; see the module.

    Args:
        squares: R, at the worst gain within its limits.
        degrees: nu.
        probability: of the event.
    """
    at_least = weighted_chi_square_lower(probability, degrees, SPREAD)
    if at_least <= 0.0:
        raise Contradiction(f"{degrees} outcomes are too few for limits of this confidence")
    return squares / at_least


def untested_limits(
    standard_error: float, squares: float, degrees: int, probability: float, *, ratio: float = 1.0
) -> tuple[float, float]:
    """Return half-width of the gain and the noise limit of "phase-insensitive-gaussian-collective"; see the module.

    Args:
        standard_error: of the gain, from the estimated noise.
        squares: the residual sum of squares.
        degrees: of freedom of it.
        probability: of each event.
        ratio: high / low of the units.
    """
    at_least = chi_square_lower(probability, degrees)
    if at_least <= 0.0:
        raise Contradiction(f"{degrees} outcomes are too few for limits of this confidence")
    return student_quantile(probability, degrees - 1) * math.sqrt(ratio) * standard_error, squares / at_least


def largest_information(
    modulation_variance: float, low: float, high: float, noise: float, efficiency: float, detection: Detection
) -> float:
    """Return the largest chi, in bits a symbol, over gains from `low` to `high`, not rounded.

    It rises with the gain over long lines and falls over short ones, and is smooth: ends and inner points are tried,
    and the largest second difference is added, which is eight times what a parabola may rise above its points, unless
    an end is the largest by more than that difference: then the parabola's top lies beyond the end.
    """
    step = (high - low) / (_GRID - 1)
    gains = [low + step * place for place in range(_GRID - 1)] + [high]
    found = [holevo_of_gain(modulation_variance, gain, noise, efficiency, detection) for gain in gains]
    bends = max(abs(found[i - 1] - 2.0 * found[i] + found[i + 1]) for i in range(1, _GRID - 1))
    falls, rises = found[0] - found[1] > bends, found[-1] - found[-2] > bends
    most = max(found)
    return most + (0.0 if (falls and most == found[0]) or (rises and most == found[-1]) else bends)


def worst_information(box: Box, settings: GaussianBoundSettings) -> float:
    """Return chi in bits a symbol at its worst, rounded up to 1e-9.

    Alice's variance enters by both ends of its interval. If her symbols are larger than she says by some factor, the
    gain is smaller by it: with either end both the gain as estimated and the one at the same t^2 V_A are within what is
    tried. That chi rises with the variance in between has been seen at 6000 points, and is not proven.
    """
    likely = settings.modulation_variance
    worst = 0.0
    most = _largest_gain(box.efficiency, settings.detection)
    for variance in sorted(set(settings.modulation_variances)):
        shrink = math.sqrt(likely / variance)
        low, high = box.gain_low * min(1.0, shrink), min(most, box.gain_high * max(1.0, shrink))
        found = largest_information(variance, low, high, box.noise_high, box.efficiency, settings.detection)
        worst = max(worst, found)
    return math.ceil((worst + 1e-12) * 1e9) / 1e9


def _tested(sums: BlockSums, detection: Detection, probability: float) -> tuple[float, float, float, float]:
    """Return gain, half-width, noise limit, and the limit of half the difference of gains."""
    if min(sums.counts) < LEAST_TESTED:
        raise Contradiction(
            f"{min(sums.counts)} outcomes of one quadrature are too few to test that the channel treats both alike; at "
            f"least {LEAST_TESTED} are needed"
        )
    inverse: Matrix = np.asarray(np.linalg.inv(sums.sent), dtype=np.float64)
    gains = inverse @ sums.products  # row k, column j: from x_k to y_j
    gain, apart = float(np.trace(gains)) / 2.0, float(abs(gains[0, 0] - gains[1, 1]))
    residuals = sums.residuals(gain) / (np.array(sums.counts) - 1.0)[:, None]
    noise = float(np.trace(residuals)) / 2.0
    if not (gain > 0.0 and noise > 0.0):
        raise Contradiction("no gain is certain: outcomes may have nothing to do with symbols")
    _check_alike(gain, apart, float(abs(gains[0, 1] + gains[1, 0])), residuals)
    degrees = 2 * (min(sums.counts) - 1)
    error = math.sqrt(noise * float(np.trace(inverse)) / 4.0)
    width = half_width_if_tested(error, degrees, probability)
    _check_width(inverse, degrees, probability)
    scale = degrees / 2.0 / (np.array(sums.counts) - 1.0)
    squares = max(float(np.diag(sums.residuals(end)) @ scale) for end in (gain - width, gain + width))
    return gain, width, noise_if_tested(squares, degrees, probability), apart / 2.0 + 2.0 * width


def _check_width(inverse: Matrix, degrees: int, probability: float) -> None:
    """Check that the factor on the half-width covers what it is there for; see the module."""
    trace = float(np.trace(inverse))
    uneven = math.sqrt(max(0.0, 1.0 - 4.0 * float(np.linalg.det(inverse)) / trace**2))
    square = normal_quantile(probability) ** 2
    short = (weighted_chi_square_lower(probability, degrees, SPREAD) - 2.0 * square) / degrees
    if short <= 0.0 or math.sqrt((1.0 + math.sqrt(SPREAD - 1.0) * uneven) / short) > SPREAD:
        raise Contradiction(f"{degrees} outcomes are too few to test that the channel treats both quadratures alike")


def _check_alike(gain: float, apart: float, across: float, residuals: Matrix) -> None:
    """Check that both quadratures are treated alike, as far as the limits need it."""
    total = float(np.trace(residuals))
    delta = abs(float(residuals[0, 0] - residuals[1, 1])) / total
    rho = 2.0 * abs(float(residuals[0, 1])) / total
    for what, value, most in (
        ("the noise of both quadratures differs by", delta, _SEEN),
        ("the noise of both quadratures is correlated by", rho, _SEEN),
        ("the gains of both quadratures differ by", apart / gain, _GAINS_APART),
        ("the gains across quadratures are, of those along them,", across / gain, _GAINS_ACROSS),
    ):
        if value > most:
            raise Contradiction(
                f"the channel does not treat both quadratures alike: {what} {value:.3g}, and {most:g} is the most that "
                "the limits allow"
            )


def _untested(sums: BlockSums, ratio: float, probability: float) -> tuple[float, float, float]:
    """Return gain, half-width and noise limit with one gain for both quadratures."""
    sent = float(np.trace(sums.sent))
    gain = float(np.trace(sums.products)) / sent
    squares = float(np.trace(sums.residuals(gain)))
    degrees = sum(sums.counts) - 3  # one gain, two means
    if not (gain > 0.0 and squares > 0.0):
        raise Contradiction("no gain is certain: outcomes may have nothing to do with symbols")
    error = math.sqrt(squares / (degrees - 1) / sent)
    return (gain, *untested_limits(error, squares, degrees, probability, ratio=ratio))


def _in_true_units(
    limits: tuple[float, float, float],
    apart: float,
    variance: float,
    units: Units,
    detection: Detection,
    likely: tuple[float, float],
) -> Box:
    low, high, noise = limits
    up, down = 1.0 / math.sqrt(units.low), 1.0 / math.sqrt(units.high)
    c = high * (up - down) / 2.0 if apart > 0.0 else 0.0
    moved = apart * (up - down) / 2.0
    noise_high = (noise / units.low + variance * c * (c + 2.0 * apart * up)) * (1.0 + _SUMS)
    gain_low = (low * down - moved) * (1.0 - _SUMS)
    most = _largest_gain(units.efficiency, detection)
    gain_high = min((high * up + moved) * (1.0 + _SUMS), most)
    if noise_high < 1.0:
        raise Contradiction(
            f"the noise of the block is certainly below that of vacuum, {noise_high:.6g}: the calibration is not that "
            "of this block"
        )
    if not 0.0 < gain_low <= gain_high:
        raise Contradiction(
            f"the gain is certainly above {gain_low:.6g}, and a channel that loses nothing has {most:.6g}: the "
            "calibration, the efficiency or the unit of the symbols is wrong"
        )
    return Box(
        gain_low=gain_low,
        gain_high=gain_high,
        noise_high=noise_high,
        efficiency=units.efficiency,
        gain=likely[0],
        noise=likely[1],
    )


def _largest_gain(efficiency: float, detection: Detection) -> float:
    """Return the gain of a channel of transmittance 1."""
    return math.sqrt(efficiency / (2.0 if detection == "heterodyne" else 1.0))
