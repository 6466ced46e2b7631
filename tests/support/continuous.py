"""From simulated records to the tally that a bound takes, as two hosts would make it; without correction."""

from __future__ import annotations

from typing import Any

import numpy as np

from qkdpost.records import CoherentStates, QuadratureOutcomes
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.sifting.quadratures.calibration import calibration_moments
from qkdpost.sifting.quadratures.dither import dithered
from qkdpost.sifting.quadratures.moments import MomentSums
from qkdpost.sifting.quadratures.whitening import estimate_channel, measured_quadratures, whiten
from qkdpost.statistics.gaussian.moments import Whitening

__all__ = ["tally_of"]


def tally_of(
    alice: CoherentStates,
    bob: QuadratureOutcomes,
    *,
    disclosed: int = 20_000,
    dimension: int = 8,
    whitening: Whitening | None = None,
    dither: bool = True,
    rng: int = 1,
) -> GaussianTally:
    """Return the tally of all symbols but the first `disclosed`, which make the whitening unless it is given."""
    draws = np.random.default_rng(rng)
    step = bob.adc_step if dither else None
    outcomes = dithered(bob.values, step, draws.bytes)
    chosen = bob.quadratures
    sent: Any = alice.symbols if chosen is None else measured_quadratures(alice.symbols, chosen)
    first = None if chosen is None else chosen[:disclosed]
    rest = None if chosen is None else chosen[disclosed:]
    if whitening is None:
        whitening = estimate_channel(sent[:disclosed], outcomes[:disclosed], first).whitening
    white = whiten(outcomes[disclosed:], whitening, rest)
    sums = MomentSums(bob.detection)
    sums.add(sent[disclosed:], white, rest)
    return GaussianTally(
        detection=bob.detection,
        moments=sums.result(),
        whitening=whitening,
        shot_electronic=calibration_moments(bob.electronic_shot, step, draws.bytes),
        electronic=None if bob.electronic is None else calibration_moments(bob.electronic, step, draws.bytes),
        key_reals=white.size - white.size % dimension,
        dimension=dimension,
    )
