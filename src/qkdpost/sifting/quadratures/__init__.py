"""Outcomes of quadrature measurements on their way to bits: dither, whitening, moments.

Bob dithers raw integers (`dithered`), and whitens by a map that disclosed symbols gave (`estimate_channel`, `whiten`).
His rotations are made of that (`qkdpost.reconciliation.multidimensional`). Alice sums up moments of what she rebuilt
(`MomentSums`), Bob those of his calibration records (`calibration_moments`). All of it works on pieces of a block.
What is wrong with the outcomes themselves, the moments tell (`diagnose_outcomes`, `diagnose_drift`).
"""

from __future__ import annotations

from qkdpost.sifting.quadratures.diagnosis import Diagnosis, diagnose_drift, diagnose_outcomes
from qkdpost.sifting.quadratures.dither import dithered
from qkdpost.sifting.quadratures.moments import MomentSums, calibration_moments
from qkdpost.sifting.quadratures.whitening import ChannelEstimate, estimate_channel, measured_quadratures, whiten

__all__ = [
    "ChannelEstimate",
    "Diagnosis",
    "MomentSums",
    "calibration_moments",
    "diagnose_drift",
    "diagnose_outcomes",
    "dithered",
    "estimate_channel",
    "measured_quadratures",
    "whiten",
]
