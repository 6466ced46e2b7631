"""Outcomes of quadrature measurements on their way to bits: dither, whitening, moments.

Bob dithers raw integers (`dithered`), and whitens by a map that disclosed symbols gave (`estimate_channel`, `whiten`).
His rotations are made of that (`qkdpost.reconciliation.multidimensional`). Alice sums up moments of what she rebuilt
(`MomentSums`), Bob those of his calibration records (`calibration_moments`). All of it works on pieces of a block, and
calibration records may come in pieces, too (`CalibrationSums`). What is wrong with the outcomes themselves, the moments
tell (`diagnose_outcomes`, `diagnose_drift`, `diagnose_parts`), and products of outcomes far apart (`CorrelationSums`).
"""

from __future__ import annotations

from qkdpost.sifting.quadratures.calibration import CalibrationSums, calibration_moments, calibration_parts
from qkdpost.sifting.quadratures.correlation import Correlation, CorrelationSums
from qkdpost.sifting.quadratures.diagnosis import Diagnosis, diagnose_drift, diagnose_outcomes, diagnose_parts
from qkdpost.sifting.quadratures.dither import dithered
from qkdpost.sifting.quadratures.moments import MomentSums
from qkdpost.sifting.quadratures.whitening import ChannelEstimate, estimate_channel, measured_quadratures, whiten

__all__ = [
    "CalibrationSums",
    "ChannelEstimate",
    "Correlation",
    "CorrelationSums",
    "Diagnosis",
    "MomentSums",
    "calibration_moments",
    "calibration_parts",
    "diagnose_drift",
    "diagnose_outcomes",
    "diagnose_parts",
    "dithered",
    "estimate_channel",
    "measured_quadratures",
    "whiten",
]
