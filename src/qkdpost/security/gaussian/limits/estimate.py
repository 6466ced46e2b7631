"""All that is concluded from the sums of a block, before epsilon and leakage enter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qkdpost.errors import InputError
from qkdpost.security.gaussian.holevo import holevo_of_gain
from qkdpost.security.gaussian.limits.box import Box, channel_box, worst_information
from qkdpost.security.gaussian.limits.calibration import Contradiction, receiver_units
from qkdpost.security.gaussian.limits.isotropy import DirectionLeak, direction_leak
from qkdpost.security.gaussian.limits.regression import BlockSums, block_sums
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.result import Evidence

__all__ = ["Estimate", "estimate_block"]

_STANDARD_ERRORS = 8.0
"""By how many the variance of Alice's symbols may miss the interval that is stated for it: at 8, 1e-15 by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a block says of its channel and of Bob's directions.

    Args:
        information: the limit of chi, bits a symbol, with the weight that the quadratures of the tally ask for.
        likely_information: chi at the estimates themselves.
        direction_bits: what rotations tell, at most.
        correlation_bits: the charge for correlation in time.
        signal_to_noise_ratio: the estimate, of a real outcome.
        evidence: the numbers to be printed.
        reason: why there can be no key; empty if there can.
    """

    information: float
    likely_information: float
    direction_bits: float
    correlation_bits: float
    signal_to_noise_ratio: float
    evidence: Evidence
    reason: str


def estimate_block(tally: GaussianTally, settings: GaussianBoundSettings, probability: float) -> Estimate:
    """Return the estimate; each of its events, at most 24, fails with this probability at most."""
    reason = tally.too_few or ("" if tally.key_reals else "no outcome took part in correction")
    if reason:
        return _nothing(tally, reason)
    try:
        with np.errstate(all="ignore"):  # sums that a peer announced may be anything
            return _estimate(tally, settings, probability)
    except Contradiction as why:
        return _nothing(tally, str(why))
    except (InputError, ArithmeticError, np.linalg.LinAlgError):
        return _nothing(tally, "sums are beyond those of any device")


def _estimate(tally: GaussianTally, settings: GaussianBoundSettings, probability: float) -> Estimate:
    sums = block_sums(tally)
    _check_symbols(sums, settings)
    units = receiver_units(tally, settings, probability)
    box = channel_box(sums, units, settings, tally.detection, probability)
    leak = direction_leak(tally, probability)
    information = worst_information(box, settings) * tally.weight
    if not math.isfinite(information + leak.bits + leak.correlation_bits + box.noise + box.gain):
        raise Contradiction("sums are beyond those of any device")
    cap = math.sqrt(units.likely_efficiency / tally.outcomes_per_symbol)
    likely = holevo_of_gain(
        settings.modulation_variance,
        min(box.gain, cap, box.gain_high),
        max(1.0, box.noise),
        units.likely_efficiency,
        tally.detection,
    )
    ratio = box.gain**2 * settings.modulation_variance / box.noise
    return Estimate(
        information=information,
        likely_information=min(information, likely),
        direction_bits=leak.bits,
        correlation_bits=leak.correlation_bits,
        signal_to_noise_ratio=ratio,
        evidence=_evidence(tally, box, leak, information, ratio, units.likely_efficiency),
        reason="",
    )


def _check_symbols(sums: BlockSums, settings: GaussianBoundSettings) -> None:
    """Check that Alice's symbols have the variance that is stated: else they are in another unit."""
    low, high = settings.modulation_variances
    for count, total in zip(sums.counts, (float(sums.sent[0, 0]), float(sums.sent[1, 1])), strict=True):
        variance, chance = total / count, _STANDARD_ERRORS * math.sqrt(2.0 / count)
        if not low * (1.0 - chance) <= variance <= high * (1.0 + chance):
            raise Contradiction(
                f"Alice's symbols have variance {variance:.6g} in one quadrature; {low:.6g} ... {high:.6g} was agreed. "
                "Are they in units of shot noise?"
            )


def _evidence(
    tally: GaussianTally, box: Box, leak: DirectionLeak, information: float, ratio: float, efficiency: float
) -> Evidence:
    return (
        ("gain_low", box.gain_low),
        ("gain_high", box.gain_high),
        ("noise_high", box.noise_high),
        ("receiver_efficiency_high", box.efficiency),
        ("holevo_information", information),
        ("signal_to_noise_ratio", ratio),
        ("transmittance_estimate", tally.outcomes_per_symbol * box.gain**2 / efficiency),
        ("excess_noise_estimate", box.excess_noise),
        ("anisotropy_high", math.sqrt(leak.kappa)),
        ("offset_high", math.sqrt(leak.offset)),
        ("largest_correlation_in_time", leak.largest_correlation),
    )


def _nothing(tally: GaussianTally, reason: str) -> Estimate:
    """Return that all that can be known is known."""
    return Estimate(
        information=float(tally.outcomes_per_symbol),
        likely_information=float(tally.outcomes_per_symbol),
        direction_bits=0.0,
        correlation_bits=0.0,
        signal_to_noise_ratio=0.0,
        evidence=(("holevo_information", float(tally.outcomes_per_symbol)),),
        reason=reason,
    )
