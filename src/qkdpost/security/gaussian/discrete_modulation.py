"""Rates of discrete modulations for endless blocks; for planning only, no bound on any block.

Denys, Brown and Leverrier, Quantum 5, 540 (2021). The sender's average state is tau = sum_k p_k |alpha_k><alpha_k|. In
the equivalent protocol she keeps one half of a purification of tau, and measures it to learn which alpha_k she sent.
What an eavesdropper can know at most is what a Gaussian state of the same covariance matrix would give her, and of this
matrix all but one entry is seen: the correlation Z of Alice's half with what leaves the channel. With

    a_tau = tau^(1/2) a tau^(-1/2),        (on the support of tau)
    w = sum_k p_k (<alpha_k| a_tau^+ a_tau |alpha_k> - |<alpha_k| a_tau |alpha_k>|^2),
    C = Tr(tau^(1/2) a tau^(1/2) a^+),

Alice's mode is a_tau seen through tau^(1/2): its part that is diagonal in her measurement is correlated with Bob's
outcomes as both see, and of the rest, whose second moment is w, the inequality of Cauchy and Schwarz says how far it
may be correlated with Bob's mode b at most, by the root of w and of the second moment of b about its own best
prediction. Where the channel has transmittance T and excess noise xi, that makes

    Z = 2 sqrt(T) C - sqrt(2 T xi w),

and a smaller Z gives the eavesdropper more, down to zero, where the sign no longer matters. A Gaussian modulation has
C = sqrt(n^2 + n) and w = 0. The paper has an ideal receiver. That the eavesdropper purifies the channel's output, so
that a trusted receiver may be taken off by `covariance`, is this library's own argument: moments of the mode before the
receiver follow from those behind it where its efficiency and noise are calibrated.

No proof for finite blocks is known with this Z: nothing here may be the bound of a session.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy import special

from qkdpost.checks import choice, instance, real_number
from qkdpost.security.gaussian.constellations import Constellation
from qkdpost.security.gaussian.covariance import holevo_of_covariance
from qkdpost.security.gaussian.holevo import Receiver

__all__ = ["ConstellationMoments", "DiscreteModulationRate", "asymptotic_discrete_rate", "constellation_moments"]

_NODES = 32
"""Of Gauss and Hermite's rule in each quadrature: the information is exact to 1e-7 at a signal-to-noise ratio of 1, and
to 1e-11 at 0.2."""
_SMALLEST = 1e-13
"""Singular values below this part of the largest are rounding errors; so large a part of the state is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstellationMoments:
    """What of a constellation goes into the correlation that is proven.

    Args:
        correlation: C = Tr(tau^(1/2) a tau^(1/2) a^+); at most the root of n^2 + n of Gaussian modulation.
        dispersion: w >= 0, which is zero for Gaussian modulation.
    """

    correlation: float
    dispersion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscreteModulationRate:
    """An asymptotic rate: a number for planning, by no means the length of a key.

    Args:
        mutual_information: of what is sent and Bob's outcome, in bits a symbol.
        holevo: the most that an eavesdropper holds of Bob's outcome, in bits a symbol, by collective attacks.
        correlation: Z, of which that was computed.
        signal_to_noise_ratio: of either quadrature.
        reconciliation_efficiency: what was assumed.

    >>> import qkdpost as qp
    >>> states = qp.planning.Constellation.qam(64, 2.0)
    >>> found = qp.planning.asymptotic_discrete_rate(
    ...     states, transmittance=0.5, excess_noise=0.005, efficiency=0.7, electronic_noise=0.05
    ... )
    >>> isinstance(found, qp.planning.DiscreteModulationRate)
    True
    """

    mutual_information: float
    holevo: float
    correlation: float
    signal_to_noise_ratio: float
    reconciliation_efficiency: float

    @property
    def bits_per_symbol(self) -> float:
        """The rate for endless blocks and collective attacks; negative where there is no key."""
        return self.reconciliation_efficiency * self.mutual_information - self.holevo


def asymptotic_discrete_rate(
    constellation: Constellation,
    *,
    transmittance: float,
    excess_noise: float,
    efficiency: float = 1.0,
    electronic_noise: float = 0.0,
    receiver: Receiver = "trusted",
    reconciliation_efficiency: float = 0.95,
) -> DiscreteModulationRate:
    """Return what a constellation gives with heterodyne detection, for endless blocks; for planning only.

    Args:
        constellation: of the sender.
        transmittance: T of the channel, without the receiver's efficiency.
        excess_noise: xi at the channel's input, in units of shot noise.
        efficiency: of the receiver.
        electronic_noise: of each of its detectors, in units of shot noise.
        receiver: "trusted": its loss and noise are nobody's; "untrusted": the eavesdropper's.
        reconciliation_efficiency: what part of the mutual information correction is expected to leave.

    Raises:
        InputError: a number out of range.

    Example:
        >>> from qkdpost.security.gaussian.constellations import Constellation
        >>> qpsk = Constellation.psk(4, 0.35)
        >>> round(asymptotic_discrete_rate(qpsk, transmittance=0.5, excess_noise=0.005).bits_per_symbol, 9)
        0.022025982
    """
    instance("constellation", constellation, Constellation, hint="Write Constellation.psk(4, 0.35), or .qam(...)")
    passed = real_number("transmittance", transmittance, above=0.0, most=1.0)
    noise = real_number("excess_noise", excess_noise, least=0.0, most=1e3)
    eta = real_number("efficiency", efficiency, above=0.0, most=1.0)
    electronic = real_number("electronic_noise", electronic_noise, least=0.0, most=1e3)
    share = real_number("reconciliation_efficiency", reconciliation_efficiency, above=0.0, most=1.0)
    variance = constellation.modulation_variance
    correlation = proven_correlation(constellation_moments(constellation), passed, noise)
    holevo = holevo_of_covariance(
        variance + 1.0,
        1.0 + passed * (variance + noise),
        correlation,
        efficiency=eta,
        electronic_noise=electronic,
        detection="heterodyne",
        receiver="untrusted" if choice("receiver", receiver, get_args(Receiver)) == "untrusted" else "trusted",
    )
    gain = eta * passed / 2.0
    outcome_noise = 1.0 + electronic + gain * noise
    return DiscreteModulationRate(
        mutual_information=mutual_information(constellation, gain / outcome_noise),
        holevo=holevo,
        correlation=correlation,
        signal_to_noise_ratio=gain * variance / outcome_noise,
        reconciliation_efficiency=share,
    )


def proven_correlation(moments: ConstellationMoments, transmittance: float, excess_noise: float) -> float:
    """Return the least correlation Z that outcomes of such a channel leave possible; not below zero."""
    lost = math.sqrt(2.0 * transmittance * excess_noise * moments.dispersion)
    return max(0.0, 2.0 * math.sqrt(transmittance) * moments.correlation - lost)


def constellation_moments(constellation: Constellation) -> ConstellationMoments:
    """Return C and w of a constellation.

    With S = sum_k sqrt(p_k) |alpha_k><k| = U D V^+, tau is U D^2 U^+, and sqrt(p_k) a_tau |alpha_k> is column k of
    U D A V^+ with A = U^+ a U: no small number is divided by. The number states go as far as the farthest point's.
    """
    states = _in_number_states(constellation)
    modes, values, points = np.linalg.svd(states, full_matrices=False)
    kept = values > _SMALLEST * values[0]
    modes, values, points = modes[:, kept], values[kept], points[kept]
    lowered = np.sqrt(np.arange(1.0, len(states)))[:, None] * modes[1:]  # a U, whose last row is zero
    annihilation = modes[:-1].conj().T @ lowered
    scaled = (values[:, None] * annihilation) @ points
    means = ((values[:, None] * points).conj() * scaled).sum(axis=0)  # p_k <alpha_k| a_tau |alpha_k>
    weights = constellation.weights
    used = weights > 0.0
    first = float((np.abs(scaled) ** 2).sum())
    second = float((np.abs(means[used]) ** 2 / weights[used]).sum())
    product = values[:, None] * annihilation * values
    correlation = float((product * annihilation.conj()).sum().real)
    return ConstellationMoments(correlation=correlation, dispersion=max(0.0, first - second))


def mutual_information(constellation: Constellation, power_ratio: float) -> float:
    """Return the mutual information in bits of a point and its heterodyne outcome, by Gauss and Hermite's rule.

    Args:
        constellation: the points (x_k, p_k).
        power_ratio: t^2 over the variance of noise of either quadrature.
    """
    nodes, weights = special.roots_hermitenorm(_NODES)
    points = math.sqrt(power_ratio) * np.array(constellation.quadratures)
    shares = constellation.weights
    noise_x, noise_p = (grid.ravel() for grid in np.meshgrid(nodes, nodes))
    measure = np.outer(weights, weights).ravel() / weights.sum() ** 2
    total = 0.0
    for share, (x, p) in zip(shares, points, strict=True):
        if not share:
            continue
        # log of sum_j p_j exp((z^2 - |z + point_k - point_j|^2) / 2), at most 0 on average
        exponent = -(noise_x[:, None] * (x - points[:, 0]) + noise_p[:, None] * (p - points[:, 1]))
        exponent -= ((x - points[:, 0]) ** 2 + (p - points[:, 1]) ** 2) / 2.0
        total -= share * float(measure @ special.logsumexp(exponent, axis=1, b=shares))
    return float(total) / math.log(2.0)


def _in_number_states(constellation: Constellation) -> NDArray[np.complex128]:
    """Return sqrt(p_k) <n|alpha_k>; shape (number states, points)."""
    amplitudes = constellation.amplitudes
    most = float(np.abs(amplitudes).max()) ** 2
    numbers = np.arange(math.ceil(most + 12.0 * math.sqrt(most) + 30.0))
    radii, angles = np.abs(amplitudes), np.angle(amplitudes)
    size = special.xlogy(numbers[:, None], radii) - radii**2 / 2.0 - special.gammaln(numbers + 1.0)[:, None] / 2.0
    states = np.exp(size + 1j * numbers[:, None] * angles)
    return np.asarray(np.sqrt(constellation.weights) * states, dtype=np.complex128)
