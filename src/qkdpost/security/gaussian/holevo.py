"""What an eavesdropper knows of Bob's outcomes at most, where modulation and channel are Gaussian: closed forms.

Units are those of shot noise, and an outcome of a measured quadrature is y = t x + z, with x of variance V_A, z of
variance s2 and

    heterodyne  t^2 = eta T / 2,  s2 = 1 + v + eta T xi / 2;    homodyne  t^2 = eta T,  s2 = 1 + v + eta T xi,

so that T = q t^2 / eta, with q = 2 or 1 outcomes a symbol, and xi = (s2 - 1 - v) / t^2 for both. T is the channel's
transmittance, xi its excess noise at its input, eta and v efficiency and electronic noise of the receiver.

A trusted receiver is a beam splitter
    An outcome divided by the root of 1 + v has, given a coherent state, the mean and variance of one that an ideal
    receiver finds behind a beam splitter of transmittance e = eta / (1 + v). The distributions for all coherent states
    determine a measurement, and what the eavesdropper learns of an outcome depends on the measurement only. So v is
    taken for zero and eta for e, exactly.

The eigenvalues
    Alice's mode A and the channel's output B have variances V = V_A + 1 and W = 1 + T V_A + x, x = T xi, and the
    correlation Z, Z^2 = T (V^2 - 1); F is what leaves the other side of that beam splitter. Everything outside the
    laboratories purifies A B, and A F given the outcome: chi = S(A B) - S(A F | outcome) (see `covariance`). Entropies
    are functions of n - 1, with n a symplectic eigenvalue, which may be 1e-9 and less, and whose logarithm enters. So
    sum and product of n^2 - 1 of both modes are written without differences of larger numbers. With

        p = V_A (2 (1 - T) + x),   r = (V_A + 2) x,   b = 1 + e (W - 1),   K = b + 1,

    one finds, V W - Z^2 - 1 being (p + r) / 2 and V - W being (p - r) / 2,

        A B              sum (p - r)^2 / 4 + p + r,   product p r;
        A F, heterodyne  the same of p' = 2 p / K and r' = 2 (1 - e) r / K;
        A F, homodyne    sum [e V_A (V_A + 2) (1 - T + x) + (1 - e) ((p - r)^2 / 4 + p + r)] / b,
                         product (1 - e) p r / b.

    The second: given the outcome A F has the variances 1 + V_A (2 (1 - e T) + e x) / K and 1 + 2 (1 - e) (W - 1) / K
    and the squared correlation 4 (1 - e) Z^2 / K^2. The third: the squares of the eigenvalues are those of the product
    of the x and p blocks, whose trace is [V (e B + (1 - e) V) + W ((1 - e) W + e) - 2 (1 - e) Z^2] / b and whose
    determinant is B ((1 - e) B + e V) / b, with B = V W - Z^2.

Of the receiver's imperfections what is understated is conceded to the eavesdropper
    To claim a larger e than is true is to let her have light that the receiver lost. To claim more noise s2 at the same
    t is to let her add a displacement that she knows: a purification of the noisier state holds the original one and
    the displacement. So chi, at fixed t, rises with s2 and with eta, and falls with v.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from qkdpost.checks import choice, real_number
from qkdpost.errors import InputError
from qkdpost.records.bases import Detection

__all__ = ["Detection", "Receiver", "asymptotic_rate", "holevo_information", "holevo_of_gain", "mutual_information"]

Receiver = Literal["trusted", "untrusted"]

_LN2 = math.log(2.0)
_MOST = 1e6


def holevo_information(
    modulation_variance: float,
    transmittance: float,
    excess_noise: float,
    *,
    efficiency: float,
    electronic_noise: float,
    detection: Detection,
    receiver: Receiver = "trusted",
) -> float:
    """Return chi(y : E) in bits a symbol, of a channel whose transmittance and excess noise are known.

    >>> chi = holevo_information(
    ...     5.0, 0.316, 0.01, efficiency=0.6, electronic_noise=0.1, detection="heterodyne", receiver="trusted")
    >>> round(chi, 9)
    0.402870852

    Args:
        modulation_variance: V_A.
        transmittance: T of the channel, above 0 and at most 1; the receiver's efficiency is not in it.
        excess_noise: xi, at the channel's input.
        efficiency: eta, above 0 and at most 1.
        electronic_noise: v of each detector.
        detection: "heterodyne" or "homodyne".
        receiver: "trusted": loss and noise of the receiver are nobody's; "untrusted": they are the eavesdropper's.

    Raises:
        InputError: a number out of range.
    """
    v_a, t, xi, eta, v = _channel(modulation_variance, transmittance, excess_noise, efficiency, electronic_noise)
    heterodyne = _is_heterodyne(detection)
    if choice("receiver", receiver, get_args(Receiver)) == "untrusted":
        t, xi = eta * t, xi + (2.0 if heterodyne else 1.0) * v / (eta * t)
        return _holevo(v_a, t, xi, 1.0, heterodyne)
    return _holevo(v_a, t, xi, eta / (1.0 + v), heterodyne)


def mutual_information(
    modulation_variance: float,
    transmittance: float,
    excess_noise: float,
    *,
    efficiency: float,
    electronic_noise: float,
    detection: Detection,
) -> float:
    """Return I(x : y) in bits a symbol; arguments as of `holevo_information`.

    Raises:
        InputError: a number out of range.

    >>> from qkdpost.security import gaussian
    >>> receiver = {"efficiency": 0.6, "electronic_noise": 0.1, "detection": "homodyne"}
    >>> round(gaussian.mutual_information(4.0, 0.5, 0.01, **receiver), 3)
    0.531
    """
    v_a, t, xi, eta, v = _channel(modulation_variance, transmittance, excess_noise, efficiency, electronic_noise)
    outcomes = 2.0 if _is_heterodyne(detection) else 1.0
    gain = eta * t / outcomes
    return outcomes / 2.0 * math.log1p(gain * v_a / (1.0 + v + gain * xi)) / _LN2


def asymptotic_rate(
    modulation_variance: float,
    transmittance: float,
    excess_noise: float,
    *,
    efficiency: float,
    electronic_noise: float,
    detection: Detection,
    receiver: Receiver = "trusted",
    reconciliation_efficiency: float = 1.0,
) -> float:
    """Return beta I - chi in bits a symbol, for endless blocks: for planning and comparison; may be negative.

    Args:
        modulation_variance: V_A.
        transmittance: T of the channel.
        excess_noise: xi.
        efficiency: eta.
        electronic_noise: v.
        detection: "heterodyne" or "homodyne".
        receiver: "trusted" or "untrusted".
        reconciliation_efficiency: beta, 0 ... 1. No bound of a block takes one: there it follows from what was sent.

    Raises:
        InputError: a number out of range.

    >>> from qkdpost.security import gaussian
    >>> round(gaussian.asymptotic_rate(
    ...     4.0, 0.5, 0.01, efficiency=0.6, electronic_noise=0.1, detection="heterodyne", reconciliation_efficiency=0.95
    ... ), 3)
    0.168
    """
    beta = real_number("reconciliation_efficiency", reconciliation_efficiency, least=0.0, most=1.0)
    information = mutual_information(
        modulation_variance,
        transmittance,
        excess_noise,
        efficiency=efficiency,
        electronic_noise=electronic_noise,
        detection=detection,
    )
    return beta * information - holevo_information(
        modulation_variance,
        transmittance,
        excess_noise,
        efficiency=efficiency,
        electronic_noise=electronic_noise,
        detection=detection,
        receiver=receiver,
    )


def holevo_of_gain(
    modulation_variance: float, gain: float, noise: float, efficiency: float, detection: Detection
) -> float:
    """Return chi(y : E) in bits a symbol, of gain and noise where shot and electronic noise together are the unit.

    Args:
        modulation_variance: V_A.
        gain: t, above 0, with q t^2 <= efficiency.
        noise: s2, at least 1.
        efficiency: eta / (1 + v) of a trusted receiver, or 1 of an untrusted one.
        detection: "heterodyne" or "homodyne".

    Raises:
        InputError: a number out of range.
    """
    heterodyne = _is_heterodyne(detection)
    v_a = real_number("modulation_variance", modulation_variance, above=0.0, most=_MOST)
    eta = real_number("efficiency", efficiency, above=0.0, most=1.0)
    t = real_number("gain", gain, above=0.0, most=1.0)
    s2 = real_number("noise", noise, least=1.0, most=_MOST)
    transmittance = (2.0 if heterodyne else 1.0) * t * t / eta
    if transmittance > 1.0 + 1e-9:
        raise InputError(f"gain {t:.6g} needs a channel of transmittance {transmittance:.6g}, more than 1")
    return _holevo(v_a, min(1.0, transmittance), (s2 - 1.0) / (t * t), eta, heterodyne)


def _holevo(v_a: float, t: float, xi: float, eta: float, heterodyne: bool) -> float:
    """Return chi of a beam splitter `eta` before an ideal receiver; see the module."""
    x, lost = t * xi, 1.0 - eta
    p, r = v_a * (2.0 * (1.0 - t) + x), (v_a + 2.0) * x
    b = 1.0 + eta * (t * v_a + x)
    together = _sum(p, r)
    before = _entropies(together, p * r)
    if heterodyne:
        p_given, r_given = 2.0 * p / (b + 1.0), 2.0 * lost * r / (b + 1.0)
        after = _entropies(_sum(p_given, r_given), p_given * r_given)
    else:
        seen = v_a * (1.0 - t + x) * (2.0 + v_a)
        after = _entropies((eta * seen + lost * together) / b, lost * p * r / b)
    return max(0.0, before - after)


def _sum(p: float, r: float) -> float:
    return (p - r) * (p - r) / 4.0 + p + r


def _entropies(total: float, product: float) -> float:
    """Return the entropy of two modes, from sum and product of the squares of their eigenvalues, each less one."""
    first = 0.5 * (total + math.sqrt(max(0.0, total * total - 4.0 * product)))
    second = product / first if first > 0.0 else 0.0
    return sum(_entropy(square / (1.0 + math.sqrt(1.0 + square))) for square in (first, second))


def _entropy(excess: float) -> float:
    """Return the entropy in bits of a mode of eigenvalue 1 + excess, with n = excess / 2 photons."""
    photons = 0.5 * excess
    if photons <= 0.0:
        return 0.0
    return (math.log1p(photons) + photons * math.log1p(1.0 / photons)) / _LN2


def _channel(
    modulation_variance: float, transmittance: float, excess_noise: float, efficiency: float, electronic_noise: float
) -> tuple[float, float, float, float, float]:
    return (
        real_number("modulation_variance", modulation_variance, above=0.0, most=_MOST),
        real_number("transmittance", transmittance, above=0.0, most=1.0),
        real_number("excess_noise", excess_noise, least=0.0, most=_MOST),
        real_number("efficiency", efficiency, above=0.0, most=1.0),
        real_number("electronic_noise", electronic_noise, least=0.0, most=_MOST),
    )


def _is_heterodyne(detection: str) -> bool:
    kind: Detection = choice("detection", detection, get_args(Detection))
    return kind == "heterodyne"
