"""What a link is expected to count, from the parameters of its devices; the devices are those of `simulation`.

The receiver is that of `simulation.receiver`: two detectors, a random bit where both click. Sums over photon numbers
are done on paper, so that expectations cost microseconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.simulation.devices import GatedDetectors

__all__ = ["RoundRates", "coherent_rates", "one_or_two_photon_rates", "pair_rates", "with_detector_memory"]


@dataclass(frozen=True, slots=True)
class RoundRates:
    """Probabilities for one round whose bases agree.

    Args:
        detection: that it is detected (by both sides, with pairs).
        error: that it is detected and the bits differ.
    """

    detection: float
    error: float


def coherent_rates(mean_photons: float, misalignment: float, detectors: GatedDetectors) -> RoundRates:
    """Return the rates of a pulse with Poissonian photon number, `mean_photons` in the mean reaching the detectors."""
    seen = mean_photons * detectors.efficiency
    silent = 1.0 - detectors.dark_count_probability
    right = _click(seen * (1.0 - misalignment), silent)
    wrong = _click(seen * misalignment, silent)
    return RoundRates(right + wrong - right * wrong, wrong - right * wrong / 2.0)


def one_or_two_photon_rates(
    one: float, two: float, transmittance: float, misalignment: float, detectors: GatedDetectors
) -> RoundRates:
    """Return the rates of a pulse that holds one or two photons with the probabilities given, and is empty else."""
    reach = transmittance * detectors.efficiency
    dark = detectors.dark_count_probability
    both = two * reach**2
    single = one * reach + 2.0 * two * reach * (1.0 - reach)
    none = 1.0 - single - both
    aligned = 1.0 - misalignment
    error = none * (dark - dark**2 / 2.0) + single * (aligned * dark / 2.0 + misalignment * (1.0 - dark / 2.0))
    error += both * (aligned**2 * dark / 2.0 + aligned * misalignment + misalignment**2 * (1.0 - dark / 2.0))
    return RoundRates(1.0 - none * (1.0 - dark) ** 2, error)


def pair_rates(pairs: float, reach: tuple[float, float], misalignment: float, dark: tuple[float, float]) -> RoundRates:
    """Return the rates of a slot in which a Poissonian number of pairs is made.

    A slot in which anything but exactly one whole pair is seen is taken to be uncorrelated; that overstates the
    errors by a part of the order of the pairs in a slot.
    """
    alice, bob = reach
    none = [math.exp(-pairs * part) * (1.0 - d) ** 2 for part, d in zip(reach, dark, strict=True)]
    either = alice + bob - alice * bob
    neither = math.exp(-pairs * either) * (1.0 - dark[0]) ** 2 * (1.0 - dark[1]) ** 2
    detection = 1.0 - none[0] - none[1] + neither
    correlated = pairs * alice * bob * neither
    return RoundRates(detection, misalignment * correlated + max(0.0, detection - correlated) / 2.0)


def with_detector_memory(rates: list[RoundRates], weights: list[float], detectors: GatedDetectors) -> list[RoundRates]:
    """Add afterpulses and dead time, which follow from the mean rate over all pulses and forget what caused them.

    Args:
        rates: per kind of pulse.
        weights: how often each kind is sent.
        detectors: the receiver's.
    """
    mean = math.fsum(weight * rate.detection for weight, rate in zip(weights, rates, strict=True))
    live = 1.0 / (1.0 + mean * detectors.dead_time_slots)
    false = detectors.afterpulse_probability * mean * live**2  # of a live click, and in a slot that is live itself
    kept = live * max(0.0, 1.0 - false * detectors.dead_time_slots)
    return [
        RoundRates(
            kept * rate.detection + false * (1.0 - rate.detection),
            kept * rate.error + false * (1.0 - rate.detection) / 2.0,
        )
        for rate in rates
    ]


def _click(mean: float, silent: float) -> float:
    return 1.0 - math.exp(-mean) * silent
