"""What the corrector knows of a bit beforehand, from its symbol and from the bits below."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels import slices
from qkdpost.reconciliation.slices.plan import SlicePlan

__all__ = ["bit_values", "soft_table"]

_STEPS = 4096
_NEIGHBOURS = 12


@lru_cache(maxsize=64)
def soft_table(step_deviations: float) -> NDArray[np.float32]:
    """Return the log-likelihood ratio of a bit at equal steps from a candidate with the bit 0 to one with the bit 1.

    The candidates lie `step_deviations` apart and take turns; at a distance a of the expectation from a candidate of
    the first kind, and with S for the distance of neighbours,

        ln sum_k exp(-(a + 2 S k)^2 / 2) - ln sum_k exp(-(a + S + 2 S k)^2 / 2).

    Args:
        step_deviations: S in standard deviations of the noise.

    Returns:
        float32, shape (4097,), for a from 0 to S; positive at first.
    """
    distance = np.linspace(0.0, step_deviations, _STEPS + 1)
    shifts = 2.0 * step_deviations * np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)[:, None]
    zero = np.logaddexp.reduce(-0.5 * (distance + shifts) ** 2, axis=0)
    one = np.logaddexp.reduce(-0.5 * (distance + step_deviations + shifts) ** 2, axis=0)
    table: NDArray[np.float32] = (zero - one).astype(np.float32)
    table.flags.writeable = False
    return table


def bit_values(
    expected: NDArray[np.float32], labels: NDArray[np.uint8], places: NDArray[np.uint16], level: int, plan: SlicePlan
) -> NDArray[np.float32]:
    """Return the log-likelihood ratio of bit `level` of each outcome of one frame, positive where 0 is likelier.

    Args:
        expected: each outcome without its noise, finite, shape (reals,); as secret as the outcomes.
        labels: of which the bits below `level` are known, shape (reals,).
        places: where the outcomes lie in their cells, shape (reals,).
        level: which bit, from 0.
        plan: the cells and the noise.
    """
    table = soft_table((1 << level) * plan.width / plan.deviation)
    values = np.empty(expected.shape, dtype=np.float32)
    slices.soft_values(expected, labels, places, 1.0 / plan.width, level, table, values)
    return values
