"""The Holevo information of any covariance matrix (V, W, Z) with a trusted receiver, by symplectic eigenvalues.

Alice's mode A and the mode B at the channel's output, before the receiver, have the covariance matrix

    [[V 1, Z s], [Z s, W 1]],   s = diag(1, -1),

in units of shot noise. The eavesdropper holds the purification of AB. The receiver of efficiency eta and electronic
noise v is a beam splitter of transmittance eta / (1 + v) whose other entrance is vacuum, before an ideal receiver: an
outcome divided by the root of 1 + v, given a coherent state, has then the same mean and the same variance, and the
distributions for all coherent states determine the measurement. Its other output F is the laboratory's. With the
outcome b of a measurement that projects on pure states the rest, A F E, is pure, so that

    chi(b : E) = S(E) - S(E | b) = S(A B) - S(A F | b),

and of all states with this covariance matrix the Gaussian one has the largest (Wolf, Giedke and Cirac, Phys. Rev. Lett.
96, 080502 (2006); Garcia-Patron and Cerf, Phys. Rev. Lett. 97, 190503 (2006)). This form needs nothing of where
(V, W, Z) come from; it is what planning with constellations uses, and a slow twin of closed forms for Gaussian
modulation. Eigenvalues are exact to some 1e-14, the information to 1e-12 or so.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, real_number
from qkdpost.errors import InputError
from qkdpost.records.bases import Detection
from qkdpost.security.gaussian.holevo import Receiver

__all__ = ["entropy_of_modes", "holevo_of_covariance", "symplectic_eigenvalues"]

Block = NDArray[np.float64]

_MOST_VARIANCE = 1e6
_ROUNDING = 1e-9


def holevo_of_covariance(
    variance: float,
    output_variance: float,
    correlation: float,
    *,
    efficiency: float,
    electronic_noise: float,
    detection: Detection,
    receiver: Receiver = "trusted",
) -> float:
    """Return the most bits a symbol that an eavesdropper holds of Bob's outcome, of any state of this covariance.

    Args:
        variance: V of Alice's mode: one more than her modulation variance.
        output_variance: W of the mode that leaves the channel, before Bob's receiver.
        correlation: Z; its sign does not matter.
        efficiency: of the receiver, above 0 and at most 1.
        electronic_noise: of each of its detectors, in units of shot noise.
        detection: "heterodyne" or "homodyne"; of homodyne detection, the information is that of a symbol whose
            quadrature the eavesdropper knows.
        receiver: "trusted": its loss and noise are nobody's; "untrusted": the eavesdropper's.

    Raises:
        InputError: a number out of range, or no state has this covariance matrix.
    """
    v = real_number("variance", variance, least=1.0, most=_MOST_VARIANCE)
    w = real_number("output_variance", output_variance, least=1.0, most=_MOST_VARIANCE)
    z = abs(real_number("correlation", correlation, least=-_MOST_VARIANCE, most=_MOST_VARIANCE))
    eta = real_number("efficiency", efficiency, above=0.0, most=1.0)
    noise = real_number("electronic_noise", electronic_noise, least=0.0, most=_MOST_VARIANCE)
    heterodyne = choice("detection", detection, get_args(Detection)) == "heterodyne"
    _check_state(v, w, z)
    if choice("receiver", receiver, get_args(Receiver)) == "untrusted":
        # The mode behind the receiver's loss, with its noise, as if the channel had made it. Heterodyne detection
        # halves a mode before noise is added, so that noise v of a detector is 2 v of the mode's.
        w = eta * w + 1.0 - eta + (2.0 if heterodyne else 1.0) * noise
        z, seen = math.sqrt(eta) * z, 1.0
    else:
        seen = eta / (1.0 + noise)
    entropy_ab = entropy_of_modes(symplectic_eigenvalues(_modes(v, w, z), _modes(v, w, -z)))
    return max(0.0, entropy_ab - _entropy_given_outcome(v, w, z, seen, heterodyne))


def symplectic_eigenvalues(x_block: Block, p_block: Block) -> NDArray[np.float64]:
    """Return the symplectic eigenvalues of a covariance matrix without terms between x and p, decreasing.

    They are the roots of the eigenvalues of the product of both blocks.

    Args:
        x_block: covariances of x of all modes; shape (modes, modes).
        p_block: those of p.
    """
    squares = np.linalg.eigvals(x_block @ p_block)
    return np.asarray(np.sort(np.sqrt(np.maximum(squares.real, 1.0)))[::-1], dtype=np.float64)


def entropy_of_modes(eigenvalues: NDArray[np.float64]) -> float:
    """Return the von Neumann entropy in bits of the Gaussian state of these symplectic eigenvalues."""
    return math.fsum(_entropy(max(0.0, (nu - 1.0) / 2.0)) for nu in eigenvalues.tolist())


def _entropy(photons: float) -> float:
    """Return the entropy of a thermal state: (n + 1) log2(n + 1) - n log2 n, written so that nothing cancels."""
    if photons == 0.0:
        return 0.0
    return math.log2(1.0 + photons) + photons * math.log1p(1.0 / photons) / math.log(2.0)


def _check_state(v: float, w: float, z: float) -> None:
    """Refuse what is no quantum state: the smaller symplectic eigenvalue must not be below 1."""
    determinant = v * w - z * z
    # (nu_1^2 - 1)(nu_2^2 - 1) >= 0 with nu_1^2 + nu_2^2 = v^2 + w^2 - 2 z^2 and nu_1 nu_2 = determinant
    slack = determinant * determinant - (v * v + w * w - 2.0 * z * z) + 1.0
    if determinant < 1.0 - _ROUNDING * v * w or slack < -_ROUNDING * (v * w) ** 2:
        raise InputError(
            f"no state has variances {v:.6g} and {w:.6g} and correlation {z:.6g}: the uncertainty relation allows less "
            "correlation. Are all of them in units of shot noise?"
        )


def _modes(v: float, w: float, z: float) -> Block:
    return np.array([[v, z], [z, w]])


def _entropy_given_outcome(v: float, w: float, z: float, seen: float, heterodyne: bool) -> float:
    """Return S(A F | b) behind a beam splitter of transmittance `seen` whose other entrance is vacuum."""
    blocks = []
    for sign, adds in ((1.0, 1.0 if heterodyne else 0.0), (-1.0, 1.0)):
        lost = 1.0 - seen
        rest = np.array([[v, -math.sqrt(lost) * sign * z], [-math.sqrt(lost) * sign * z, lost * w + seen]])
        if heterodyne or sign > 0.0:  # homodyne detection measures x, and of p nothing is learnt
            across = np.array([math.sqrt(seen) * sign * z, math.sqrt(seen * lost) * (1.0 - w)])
            rest = rest - np.outer(across, across) / (seen * w + lost + adds)
        blocks.append(rest)
    return entropy_of_modes(symplectic_eigenvalues(blocks[0], blocks[1]))
