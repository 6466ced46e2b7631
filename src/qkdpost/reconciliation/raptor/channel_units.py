"""What a decoder of raptor-like codes makes of a channel: small whole numbers, and how long a unit of them is.

Each frame has a unit of its own, so that how it is decoded depends on nothing but that frame: a 127th of LIMIT_IN_RMS
times the rms ratio of its extension. No check of the extension says more about a bit of the core than its own bit does,
so that messages fit into bytes; ratios beyond, one in some thousand of a Gaussian channel's, are taken for the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.raptor.check_rules import (
    ANSWER,
    ANSWER_SHIFT,
    CAP,
    CONSTANTS,
    MAX_WEAK,
    PRIOR,
    REACH,
    SCALE,
    TANGENTS,
)

__all__ = ["LIMIT_IN_RMS", "ChannelUnits", "units_of"]

LIMIT_IN_RMS = 3.5
_MIN_LIMIT, _MAX_LIMIT = 0.6, 8.0
"""In nats. A shorter unit would overflow the coefficients of answers, a longer one leaves weak bits without a voice."""
_MAX_TOTAL = 32000
_STEPS = 1 << 16
_TANGENTS = (
    2 * np.log(2),
    np.log(3) + 4 * np.log(4 / 3),
    np.log(7) + 8 * np.log(8 / 7),
    np.log(15) + 16 * np.log(16 / 15),
)
"""Where the tangents of ln(1 + exp(-x)) of slope -1/2, -1/4, -1/8, -1/16 meet zero, in nats."""


@dataclass(frozen=True, slots=True)
class ChannelUnits:
    """How one frame is counted.

    Attributes:
        nats: length of a unit.
        constants: for the kernels, int16 to be read as unsigned, shape (CONSTANTS,).
    """

    nats: float
    constants: NDArray[np.int16]

    def totals(self, ratios: NDArray[np.float32]) -> NDArray[np.int16]:
        """Return ratios in nats to the nearest unit."""
        limit = np.float32(_MAX_TOTAL * self.nats)
        units = np.clip(ratios, -limit, limit) * np.float32(1 / self.nats)
        rounded: NDArray[np.int16] = np.rint(units).astype(np.int16)
        return rounded

    def priors(self, ratios: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return tanh of half the ratios to the nearest of 255 steps."""
        fraction = np.tanh(ratios * np.float32(0.5))
        fraction *= np.float32(_STEPS / int(self.constants[PRIOR]))
        rounded: NDArray[np.int8] = np.rint(np.clip(fraction, -MAX_WEAK, MAX_WEAK, out=fraction)).astype(np.int8)
        return rounded


def units_of(ratios: NDArray[np.float32]) -> ChannelUnits:
    """Return how a frame is counted whose extension has these ratios in nats, finite; at least one."""
    rms = float(np.sqrt(np.mean(np.square(np.clip(ratios, -1e3, 1e3), dtype=np.float64))))
    limit = min(max(LIMIT_IN_RMS * rms, _MIN_LIMIT), _MAX_LIMIT)
    scale = round(limit / MAX_WEAK * _STEPS / REACH)
    nats = scale * REACH / _STEPS
    prior = int(_STEPS * np.tanh(MAX_WEAK * nats / 2) / MAX_WEAK)
    constants = np.zeros(CONSTANTS, dtype=np.uint16)
    constants[[SCALE, CAP, PRIOR]] = scale, (_STEPS - 1) // scale, prior
    constants[ANSWER : ANSWER + 3] = np.rint(_answer(MAX_WEAK * prior / _STEPS) * (1 << ANSWER_SHIFT) / nats)
    constants[TANGENTS : TANGENTS + 4] = np.rint(np.array(_tangents()) / nats)
    return ChannelUnits(nats=nats, constants=constants.view(np.int16))


def _answer(largest: float) -> NDArray[np.float64]:
    """Return coefficients, none below 0, of 2 atanh(p) / p in powers of p^2, for p up to `largest`."""
    p = np.linspace(largest / 64, largest, 64)
    wanted = 2 * np.arctanh(p) / p
    for powers in ((0, 1, 2), (0, 2), (0, 1)):
        terms = np.stack([p ** (2 * power) / wanted for power in powers], axis=1)
        found = np.linalg.lstsq(terms, np.ones_like(p), rcond=None)[0]
        if np.all(found >= 0):
            break
    answer = np.zeros(3)
    answer[list(powers)] = np.maximum(found, 0)
    return answer


def _tangents() -> tuple[Any, ...]:
    """Return the tangents in the order of the kernels, which count in quarters: slope -1, -2, -1/2, -1/4 of four."""
    steep, one, half, quarter = _TANGENTS
    return one, steep, half, quarter
