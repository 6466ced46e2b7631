"""What an eavesdropper of a simulated link of coherent states holds, from the devices' true parameters.

Written from the definition, apart from the library: covariance matrices of all modes, the detector's purification
included, and absolute eigenvalues of i Omega gamma.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["holevo_information", "shannon_information"]

Matrix = NDArray[np.float64]


def holevo_information(
    *,
    modulation_variance: float,
    transmittance: float,
    excess_noise: float | tuple[float, float] = 0.0,
    efficiency: float,
    electronic_noise: float = 0.0,
    detection: str = "heterodyne",
) -> float:
    """Return the bits a symbol that she holds of Bob's outcome, his receiver's loss and noise being his.

    She mixes a mode of variances 1 + T xi / (1 - T) into the channel and holds all that purifies it. Of homodyne
    detection, it is the mean over both quadratures.
    """
    noises = excess_noise if isinstance(excess_noise, tuple) else (excess_noise, excess_noise)
    heterodyne = detection == "heterodyne"
    v = modulation_variance + 1.0
    z = math.sqrt(transmittance * (v * v - 1.0))
    w = [transmittance * (modulation_variance + noise) + 1.0 for noise in noises]
    pair = np.array([[v, 0, z, 0], [0, v, 0, -z], [z, 0, w[0], 0], [0, -z, 0, w[1]]], dtype=np.float64)
    spare = 1.0 if efficiency == 1.0 else 1.0 + (2.0 if heterodyne else 1.0) * electronic_noise / (1.0 - efficiency)
    rest = math.sqrt(max(0.0, spare * spare - 1.0))
    noise = np.array([[spare, 0, rest, 0], [0, spare, 0, -rest], [rest, 0, spare, 0], [0, -rest, 0, spare]])
    modes = np.zeros((8, 8))
    modes[:4, :4], modes[4:, 4:] = pair, noise
    mixed = np.eye(8)
    through, off = math.sqrt(efficiency), math.sqrt(1.0 - efficiency)
    for axis in range(2):
        b, f = 2 + axis, 4 + axis
        mixed[b, b], mixed[b, f], mixed[f, b], mixed[f, f] = through, off, -off, through
    modes = mixed @ modes @ mixed.T
    measured, others = [2, 3], [0, 1, 4, 5, 6, 7]
    across, seen, left = (
        modes[np.ix_(others, measured)],
        modes[np.ix_(measured, measured)],
        modes[np.ix_(others, others)],
    )
    if heterodyne:
        after = [left - across @ np.linalg.inv(seen + np.eye(2)) @ across.T]
    else:
        after = [left - np.outer(across[:, q], across[:, q]) / seen[q, q] for q in range(2)]
    given = [_entropy(state) for state in after]
    return _entropy(pair) - sum(given) / len(given)


def shannon_information(
    *,
    modulation_variance: float,
    transmittance: float,
    excess_noise: float = 0.0,
    efficiency: float,
    electronic_noise: float = 0.0,
    detection: str = "heterodyne",
) -> float:
    """Return the mutual information of what is sent and Bob's outcome, in bits a symbol."""
    outcomes = 2 if detection == "heterodyne" else 1
    share = efficiency * transmittance / outcomes
    ratio = share * modulation_variance / (1.0 + electronic_noise + share * excess_noise)
    return outcomes / 2.0 * math.log2(1.0 + ratio)


def _entropy(covariance: Matrix) -> float:
    modes = len(covariance) // 2
    omega = np.kron(np.eye(modes), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    values = np.sort(np.abs(np.linalg.eigvals(1j * omega @ covariance)))[::2]
    total = 0.0
    for nu in np.maximum(values, 1.0 + 1e-15).tolist():
        up, down = (nu + 1.0) / 2.0, (nu - 1.0) / 2.0
        total += up * math.log2(up) - down * math.log2(down)
    return total
