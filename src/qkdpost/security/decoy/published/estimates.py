"""Published fixed-length bounds for decoy-state BB84, each with its own constants and its own ledger.

wiesemann-2026
    Wiesemann et al., Quantum 10, 2037 (2026), one and two decoys: coherent attacks, Serfling's inequality at
    tail eps0^2, one chain rule. With one decoy eps0 = eps_sec / 15: smoothing 2 eps0 counted twice, eps0 for the
    hash, and ten decoy events. These are, for the bound on rounds without a photon taken from the *weaker* intensity
    (fixed here; the authors' program takes the better of both, which would be one event more), in each basis n_1^+,
    n_2^- and the fair coin, and c_2^+, with c_1^+ and c_2^- in the test basis. With two decoys eps0 = eps_sec / 17
    by the same bookkeeping: 4 + 1 + 12 events (five counts in each basis, two for the errors); this constant was
    derived and not read. Counts are clipped to 0 ... total before they are scaled. The penalty is paid in full
    whether there is a vacuum term or not. Errors among single photons are clipped to the test's detections, as in the
    authors' program, and not to its errors, which would bound them as well: a length that is up to a few per cent short
    and the one that the name stands for. Ours in addition, and only ever smaller: every estimate is moved by what
    floating point may have added to it, and counts that no photon numbers explain certify nothing.

lim-2014, rusca-2018
    Lim et al., Phys. Rev. A 89, 022307 and Rusca et al., Appl. Phys. Lett. 112, 171104, for comparison. Their gamma
    is an expansion of a tail and *not* an upper bound (it falls below the exact one at small counts), and their
    lengths are used as if they might depend on the observed counts: results say that they are not rigorous. As printed,
    lim-2014 takes a negative mean count of errors where a label has fewer than its deviation, as the weakest often has,
    and is up to a third shorter there than programs which clip it at zero.
    Rusca's gamma is taken with 19^2, consistent with its own count of events; the paper prints 21^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qkdpost.errors import ConfigurationError
from qkdpost.security.decoy.analytic import (
    Intervals,
    hoeffding_intervals,
    max_rounds_with_photons,
    rounding_error,
    single_photon_errors_upper,
    single_photons_lower,
    vacuum_lower,
    vacuum_upper_by_errors,
)
from qkdpost.security.decoy.photon_statistics import PhotonStatistics

__all__ = [
    "DecoyCounts",
    "PublishedEstimate",
    "estimate_without_deviations",
    "lim_2014",
    "rusca_2018",
    "wiesemann_2026",
]

_WEAKER = 1
"""Which of two intensities bounds the rounds without a photon: fixed beforehand, so that it is one event."""
_PRODUCT_ROUNDING = 1e-12
"""More than a few products and sums of positive numbers can be wrong by, in parts of the result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyCounts:
    """What the formulas take; like `DecoyTally`, but means of a model are allowed too.

    Args:
        source: the intensities and their probabilities.
        key_counts: per intensity.
        test_counts: per intensity.
        test_errors: per intensity.
        key_errors: per intensity; needed with one decoy.
    """

    source: PhotonStatistics
    key_counts: Sequence[float]
    test_counts: Sequence[float]
    test_errors: Sequence[float]
    key_errors: Sequence[float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEstimate:
    """What a published formula makes of the counts.

    Args:
        vacuum: key detections without a photon, from below.
        vacuum_upper: the same from above, as far as the formula needs it; nan otherwise.
        key: key detections by one photon, from below.
        test: test detections by one photon, from below.
        test_errors: errors among these, from above.
        phase_error_rate: of the key's single photons, from above, at most 1/2.
    """

    vacuum: float
    vacuum_upper: float
    key: float
    test: float
    test_errors: float
    phase_error_rate: float


def wiesemann_2026(counts: DecoyCounts, smoothing: float) -> PublishedEstimate:
    """Evaluate the estimates of Wiesemann et al. at eps0 = eps1 = eps2 = `smoothing`, with Hoeffding's deviations.

    Raises:
        ConfigurationError: intensities without an analytic bound, or one decoy without the key's errors.
    """
    source, (key, test, errors) = counts.source, _intervals(counts, smoothing, clip=True)
    key_total, test_total = math.fsum(counts.key_counts), math.fsum(counts.test_counts)
    off_key, off_test = rounding_error(source, key_total, key), rounding_error(source, test_total, test)
    vacuum, empty_test = vacuum_lower(source, key) - off_key, vacuum_lower(source, test)
    empty_key, upper = vacuum, math.nan
    if len(source.intensities) == 2:
        key_errors = hoeffding_intervals(_key_errors(counts), smoothing)
        empty_key = upper = min(key_total, _vacuum_upper(source, key_errors, key_total, smoothing, (_WEAKER,)))
        empty_test = min(test_total, _vacuum_upper(source, errors, test_total, smoothing, (_WEAKER,)))
    singles = single_photons_lower(source, key, empty_key) - off_key
    tested = single_photons_lower(source, test, empty_test) - off_test
    if _contradicts(source, key, (vacuum, singles)) or _contradicts(source, test, (0.0, tested)):
        vacuum = singles = tested = 0.0
    singles, tested = min(key_total, max(0.0, singles)), min(test_total, max(0.0, tested))
    wrong = _single_photon_errors(counts, errors)
    return PublishedEstimate(
        vacuum=min(key_total, max(0.0, vacuum)),
        vacuum_upper=upper,
        key=singles,
        test=tested,
        test_errors=wrong,
        phase_error_rate=_serfling_rate(singles, tested, wrong, smoothing),
    )


def _single_photon_errors(counts: DecoyCounts, errors: Intervals) -> float:
    """Return the errors among single photons from above, clipped to the test's detections."""
    off = rounding_error(counts.source, math.fsum(counts.test_errors), errors)
    return min(math.fsum(counts.test_counts), single_photon_errors_upper(counts.source, errors) + off)


def lim_2014(counts: DecoyCounts, secrecy: float) -> PublishedEstimate:
    """Evaluate the estimates of Lim et al. 2014 for a total secrecy of 21 eps; not a bound.

    Raises:
        ConfigurationError: not three intensities, or ones that the formula is not made for.
    """
    source, epsilon = counts.source, secrecy / 21.0
    if len(source.intensities) != 3:
        raise ConfigurationError("lim-2014 is for two decoys, that is three intensities")
    key, test, errors = _intervals(counts, epsilon, clip=False)
    vacuum = vacuum_lower(source, key)
    singles = max(0.0, single_photons_lower(source, key, vacuum))
    tested = max(0.0, single_photons_lower(source, test, vacuum_lower(source, test)))
    wrong = single_photon_errors_upper(source, errors)
    return PublishedEstimate(
        vacuum=vacuum,
        vacuum_upper=math.nan,
        key=singles,
        test=tested,
        test_errors=wrong,
        phase_error_rate=_gamma_rate(singles, tested, wrong, secrecy, 21),
    )


def rusca_2018(counts: DecoyCounts, secrecy: float, *, events: int = 19) -> PublishedEstimate:
    """Evaluate the estimates of Rusca et al. 2018 for a total secrecy of 19 eps; not a bound.

    Args:
        counts: with the key's errors.
        secrecy: eps_sec.
        events: 19, or the 21 that the paper prints in its gamma.

    Raises:
        ConfigurationError: not two intensities, or no key errors.
    """
    source, epsilon = counts.source, secrecy / 19.0
    if len(source.intensities) != 2:
        raise ConfigurationError("rusca-2018 is for one decoy, that is two intensities")
    key, test, errors = _intervals(counts, epsilon, clip=False)
    key_errors = hoeffding_intervals(_key_errors(counts), epsilon, clip=False)
    upper = _vacuum_upper(source, key_errors, math.fsum(counts.key_counts), epsilon, (0, 1))
    empty_test = _vacuum_upper(source, errors, math.fsum(counts.test_counts), epsilon, (0, 1))
    singles = max(0.0, single_photons_lower(source, key, upper))
    tested = max(0.0, single_photons_lower(source, test, empty_test))
    wrong = single_photon_errors_upper(source, errors)
    return PublishedEstimate(
        vacuum=vacuum_lower(source, key),
        vacuum_upper=upper,
        key=singles,
        test=tested,
        test_errors=wrong,
        phase_error_rate=_gamma_rate(singles, tested, wrong, secrecy, events),
    )


def estimate_without_deviations(counts: DecoyCounts) -> PublishedEstimate:
    """Evaluate the analytic bounds with every deviation set to zero: a point estimate.

    Raises:
        ConfigurationError: intensities without an analytic bound, or one decoy without the key's errors.
    """
    source = counts.source

    def exact(values: Sequence[float]) -> Intervals:
        return tuple((value, value) for value in values)

    key, test, errors = exact(counts.key_counts), exact(counts.test_counts), exact(counts.test_errors)
    key_total, test_total = math.fsum(counts.key_counts), math.fsum(counts.test_counts)
    vacuum, empty_test = vacuum_lower(source, key), vacuum_lower(source, test)
    empty_key = vacuum
    if len(source.intensities) == 2:
        empty_key = min(key_total, 2.0 * vacuum_upper_by_errors(source, exact(_key_errors(counts)), _WEAKER))
        empty_test = min(test_total, 2.0 * vacuum_upper_by_errors(source, errors, _WEAKER))
    tested = min(test_total, max(0.0, single_photons_lower(source, test, empty_test)))
    wrong = min(math.fsum(counts.test_errors), single_photon_errors_upper(source, errors))
    return PublishedEstimate(
        vacuum=min(key_total, vacuum),
        vacuum_upper=empty_key,
        key=min(key_total, max(0.0, single_photons_lower(source, key, empty_key))),
        test=tested,
        test_errors=wrong,
        phase_error_rate=min(0.5, wrong / tested) if tested > 0.0 else 0.5,
    )


def _intervals(counts: DecoyCounts, epsilon: float, *, clip: bool) -> tuple[Intervals, Intervals, Intervals]:
    """Return Hoeffding's intervals of key detections, test detections and test errors."""
    return (
        hoeffding_intervals(counts.key_counts, epsilon, clip=clip),
        hoeffding_intervals(counts.test_counts, epsilon, clip=clip),
        hoeffding_intervals(counts.test_errors, epsilon, clip=clip),
    )


def _vacuum_upper(
    source: PhotonStatistics, errors: Intervals, total: float, epsilon: float, labels: Sequence[int]
) -> float:
    """Return 2 (tau_0 e^k / p_k c_k^+ + delta(total)), the best of the labels given."""
    deviation = math.sqrt(total * -math.log(epsilon) / 2.0)
    return min(2.0 * (vacuum_upper_by_errors(source, errors, label) + deviation) for label in labels)


def _contradicts(source: PhotonStatistics, intervals: Intervals, lower: Sequence[float]) -> bool:
    """Whether more rounds of 0, 1, ... photons are certified than some label's mean count allows."""
    return any(bound > max_rounds_with_photons(source, intervals, photons) for photons, bound in enumerate(lower))


def _serfling_rate(key: float, test: float, errors: float, smoothing: float) -> float:
    """Return errors / test + sqrt((n + m)(m + 1) / (n m^2) ln(1 / smoothing)), rounded up, at most 1/2."""
    if key <= 0.0 or test <= 0.0:
        return 0.5
    spread = (key + test) / key * (test + 1.0) / test / test
    return min(0.5, (errors / test + math.sqrt(spread * -math.log(smoothing))) * (1.0 + _PRODUCT_ROUNDING))


def _gamma_rate(key: float, test: float, errors: float, secrecy: float, events: int) -> float:
    if key <= 0.0 or test <= 0.0 or errors >= test / 2.0:
        return 0.5
    return min(0.5, errors / test + _gamma(secrecy, errors / test, test, key, events))


def _gamma(secrecy: float, rate: float, test: float, key: float, events: int) -> float:
    variance = (1.0 - rate) * rate
    if variance <= 0.0:
        return 0.0
    scale = (test + key) / (test * key)
    logarithm = math.log2(scale / variance * (events / secrecy) ** 2)
    return math.sqrt(max(0.0, scale * variance / math.log(2.0) * logarithm))


def _key_errors(counts: DecoyCounts) -> Sequence[float]:
    if counts.key_errors is None:
        raise ConfigurationError("with one decoy the errors of the key basis are needed: give the tally's key_errors")
    return counts.key_errors
