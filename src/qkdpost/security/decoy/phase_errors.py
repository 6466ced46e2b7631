"""From the numbers of single photons to the phase-error rate of the key, as the notes of `bound` argue."""

from __future__ import annotations

import math

from qkdpost.security.decoy.detector_mismatch import DetectorMismatch, worse_phase_error_rate
from qkdpost.security.decoy.single_photons import SinglePhotons
from qkdpost.security.phase_errors import Concentration, check_concentration
from qkdpost.statistics.error_envelope import max_errors_of_longer
from qkdpost.statistics.sampling import hypergeometric_key_errors, serfling_deviation

__all__ = ["single_photon_phase_error_rate", "with_mismatch"]


def single_photon_phase_error_rate(
    photons: SinglePhotons, tail: float, concentration: Concentration, longest: int | None = None
) -> tuple[float, str]:
    """Bound the phase-error rate of the single-photon key rounds, and say how; at most 1/2.

    Args:
        photons: the bounds on their numbers.
        tail: the probability of failure.
        concentration: "hypergeometric" or "serfling".
        longest: how many key rounds there may be at most, where the bound on their number is not independent of
            which rounds make the key; see the module.

    Raises:
        ConfigurationError: an unknown concentration.
    """
    check_concentration(concentration)
    key, test = math.floor(photons.key), math.floor(photons.test)
    wrong = math.floor(photons.test_errors)
    seen = f"at most {wrong} errors in at least {test} single-photon test rounds"
    if key <= 0 or test <= 0 or 2 * wrong >= test:
        return 0.5, f"-n h(1/2): {seen} bound nothing"
    if concentration == "hypergeometric":
        worst = hypergeometric_key_errors(key, test, wrong, tail)
        if longest is not None and longest > key:
            worst = max_errors_of_longer(key, longest, test, wrong, tail, worst)
        rate = min(0.5, worst / key)
        return rate, f"-n h({rate:.5f}): {seen}, at most {worst} in the key (exact hypergeometric)"
    rate = min(0.5, photons.error_rate + serfling_deviation(key, test, tail))
    return rate, f"-n h({rate:.5f}): {seen}, plus Serfling's deviation"


def with_mismatch(
    rate: float,
    explanation: str,
    photons: SinglePhotons,
    detectors: DetectorMismatch,
    tail: float,
    concentration: Concentration,
) -> tuple[float, str]:
    """Return the phase-error rate and its explanation for mismatched detectors, from those for matched ones.

    Args:
        rate: the bound with matched detectors.
        explanation: where it comes from.
        photons: the bounds on numbers of single photons.
        detectors: how far the two may differ.
        tail: the probability of failure of each of the two detector events.
        concentration: "hypergeometric" takes the excess from the binomial distribution, "serfling" from Hoeffding.
    """
    exact = concentration == "hypergeometric"
    worse = worse_phase_error_rate(rate, math.floor(photons.key), detectors, tail, exact=exact)
    return worse, (
        f"-n h({worse:.5f}) with mismatched detectors (delta1 {detectors.delta1:.3g}, "
        f"delta2 {detectors.delta2:.3g}); with matched ones, {explanation}"
    )
