"""Secret length of BB84 with weak coherent pulses and decoy intensities.

Default: the variable-length theorem (`qkdpost.security.theorem`) for the rounds in which one photon was sent.
`budget` says where epsilon goes.

Bounds instead of counts
    The estimate says: at least n key and k test detections were made by single photons, and at most v of the errors
    in the test. The true numbers n1 >= n, k1 >= k, m1 <= v are not known. With K(n, k, x) the exact bound on the
    phase errors of n key rounds, the event that the n1 key rounds have more than K(n1, k1, m1) of them has at most the
    probability of the tail. K falls with k and rises with x, so that K(n1, k, v) holds as well, *whatever* k and v
    depend on. It remains to go from n1 to n.
    Virtual thinning: let a random n of the key's single-photon rounds be kept in thought, and the bits of all others
    be handed to whoever wants them; this can only lower the entropy, for H_min(A B | E) >= H_min(A | E) for classical
    B. The kept rounds and the test are a uniformly random split again, and K(n, k, v) bounds the phase errors of the
    kept ones at the same tail, if n is independent of the split. It is where it is computed from the counts of labels
    alone: given the photon numbers of all rounds, their labels are independent of all else, and equally distributed for
    all single photons, so that the law of these counts is the same whichever of them make the key.
    With one decoy this is not so: n comes from the errors of the key as well, which an attack may have made where the
    phase errors are. Then nothing is thinned. The n1 rounds hold n1 (1 - h(K(n1, k, v) / n1)) bits, and what is
    claimed is a length that none of n <= n1 <= (all key detections) falls below, which costs one error as a rule
    (`error_envelope.max_errors_of_longer`). Serfling's bound needs neither: its rate falls with n1, so that its length
    for n is exceeded by that for n1.

Intensities that are known to lie in intervals
    The tally may give pairs for intensities. Then the numbers of single photons are bounded for all that pulses may
    have had in there, each its own (`ranges`). The thinning above asks that, given the photon numbers, labels
    be independent of all else and equally distributed for all single photons. With intensities that differ from pulse
    to pulse they are independent but not equally distributed, so that the law of the counts depends a little on which
    rounds make the key.
    Nothing is thinned then: as with one decoy, what is claimed is a length that none of n <= n1 <= (all key detections)
    falls below. Mismatched detectors, whose argument is thinned as well, are refused.

Rounds without a photon give no key here: the theorem has no term for them. Published fixed-length forms that have
one drop it when correction was two-way.
"""

from __future__ import annotations

import math
from dataclasses import replace

from qkdpost.security import assumptions as assume
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.analytic import IntervalMethod
from qkdpost.security.decoy.budget import Accounting, BudgetDivision, divide_budget
from qkdpost.security.decoy.coverage import check_mismatch
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch, worse_phase_error_rate
from qkdpost.security.decoy.phase_errors import single_photon_phase_error_rate, with_mismatch
from qkdpost.security.decoy.published.lengths import published_length
from qkdpost.security.decoy.settings import DecoyBound, DecoyBoundSettings
from qkdpost.security.decoy.single_photons import (
    DecoyMethod,
    SinglePhotons,
    count_events,
    counted,
    estimate_single_photons,
    point_estimate,
    what_contradicts,
)
from qkdpost.security.decoy.tally import DecoyTally, has_intervals
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.phase_errors import Concentration
from qkdpost.security.result import Evidence, SecretLength
from qkdpost.security.theorem import variable_length
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["ASSUMPTIONS", "apply_bound", "secret_length"]

ASSUMPTIONS = (
    assume.PHASE_RANDOMISED_PULSES,
    assume.CONJUGATE_STATES,
    assume.BASIS_CHOICE,
    assume.ENDS_BY_DETECTIONS,
    assume.DETECTORS_READY,
    assume.SQUASHED_RECEIVER,
    assume.CLICKS_IN_BOTH_BASES,
    assume.TRUSTED_LABORATORIES,
    assume.AUTHENTICATED,
)


def secret_length(
    tally: DecoyTally,
    *,
    leakage_bits: int,
    epsilon: Epsilon | float,
    two_way: bool = True,
    bound: DecoyBound = "variable-length",
    method: DecoyMethod = "linear-program",
    intervals: IntervalMethod = "clopper-pearson",
    concentration: Concentration = "hypergeometric",
    accounting: Accounting = "published",
    detectors: DetectorMismatch | None = None,
    verification_bits: int | None = None,
    acceptance: DecoyAcceptance | None = None,
) -> SecretLength:
    """Return how many secret bits a block of decoy-state BB84 may keep.

    Args:
        tally: the block's counts per intensity.
        leakage_bits: *all* bits that the ledger charged, tags and outcomes of verification included.
        epsilon: the budget, or a total that `Epsilon.split` divides.
        two_way: whether the corrector published the error pattern; `leakage.Ledger.two_way` knows.
        bound: "variable-length"; or "wiesemann-2026", the fixed-length form of Quantum 10, 2037; or, for comparison
            only and marked as not being bounds, "lim-2014" (two decoys) and "rusca-2018" (one decoy).
        method: "linear-program" over all photon numbers, or "analytic". For the variable-length bound.
        intervals: of the mean counts: "clopper-pearson", "kullback-leibler" or "hoeffding". For the same.
        concentration: "hypergeometric", exact, or "serfling". For the same.
        accounting: where decoy events enter epsilon, see the module. For the same.
        detectors: a bound on their mismatch; None if they are taken to be matched. For the same; needs one-way
            correction, for no proof is known that joins a public error pattern with it, nor the key's error counts.
        verification_bits: how much of the leakage verification was; see `bb84.secret_length`.
        acceptance: for fixed-length bounds, the thresholds that were set before the data were seen. Without it,
            the counts themselves are taken to be the thresholds, as when a link is planned.

    Raises:
        InputError: counts or numbers of bits that are negative, no whole numbers, or contradict each other; or no
            `DecoyTally`.
        ConfigurationError: unknown names, verification charged too little, options that contradict each other, or
            intervals of intensities with a published bound.

    >>> tally = DecoyTally(
    ...     intensities=((0.48, 0.52), (0.09, 0.11), 0.0), probabilities=(0.7, 0.2, 0.1),
    ...     key_counts=(28_000_000, 1_600_000, 10), test_counts=(3_500_000, 200_000, 1), test_errors=(35_000, 2_000, 0))
    >>> secret_length(tally, leakage_bits=3_000_000, epsilon=1e-10).bits > 5_000_000
    True
    """
    return apply_bound(
        tally,
        Disclosed(leakage_bits=leakage_bits, verification_bits=verification_bits, two_way=two_way),
        Epsilon.coerce(epsilon),
        DecoyBoundSettings(
            bound=bound,
            method=method,
            intervals=intervals,
            concentration=concentration,
            accounting=accounting,
            detectors=detectors,
            acceptance=acceptance,
        ),
    )


def apply_bound(tally: DecoyTally, disclosed: Disclosed, budget: Epsilon, settings: DecoyBoundSettings) -> SecretLength:
    """Apply the bound as a session does: the `Bound` that `secret_length` is the front of, and raises the same.

    >>> import qkdpost as qp
    >>> from qkdpost.security import DecoyBoundSettings, Disclosed, Epsilon, decoy_bb84
    >>> tally = qp.planning.DecoyBB84Link().expected_tally(10**9)
    >>> disclosed = Disclosed(leakage_bits=10**7, verification_bits=64, two_way=True)
    >>> decoy_bb84.apply_bound(tally, disclosed, Epsilon.split(1e-10), DecoyBoundSettings()).bits > 10**6
    True
    """
    tally = counted(tally)
    if settings.bound == "variable-length":
        return _variable_length(tally, disclosed, budget, settings)
    # A bound with one decoy announces the key's error counts; its error pattern is taken to be public altogether.
    public = disclosed.two_way or len(tally.intensities) == 2
    return published_length(
        settings.bound,
        tally,
        disclosed,
        budget,
        settings.acceptance,
        (*_assumptions(tally, public, None), assume.DETECTOR_CONSEQUENCE),
    )


def _variable_length(
    tally: DecoyTally, disclosed: Disclosed, budget: Epsilon, settings: DecoyBoundSettings
) -> SecretLength:
    """Apply the variable-length theorem to the rounds of single photons."""
    by_key_errors = len(tally.intensities) == 2 and tally.key_errors is not None
    detectors, two_way = settings.detectors, disclosed.two_way
    check_mismatch(detectors, tally.intensities, two_way=two_way, by_key_errors=by_key_errors)
    division = divide_budget(budget, settings.accounting, count_events(tally, settings.method), detectors is not None)
    photons = estimate_single_photons(
        tally, method=settings.method, intervals=settings.intervals, tail=division.decoy_tail
    )
    rate, explanation = _phase_error_rate(tally, photons, division, settings)
    return variable_length(
        bound="variable-length",
        certified_bits=math.floor(photons.key),
        certified_explanation=_certified(tally, photons, settings),
        phase_error_rate=rate,
        phase_error_explanation=explanation,
        disclosed=_with_announced_key_errors(tally, disclosed),
        ledger=division.ledger,
        amplification_epsilon=division.amplification,
        asymptotic_bits=_asymptotic_bits(tally, settings.method, photons),
        key_bits=tally.key_bits,
        assumptions=(*_assumptions(tally, two_way, detectors), *_consequence(rate, photons, detectors)),
        evidence=_evidence(photons),
        unproven=_unproven(two_way, settings.accounting, detectors),
    )


def _phase_error_rate(
    tally: DecoyTally, photons: SinglePhotons, division: BudgetDivision, settings: DecoyBoundSettings
) -> tuple[float, str]:
    """Bound the phase-error rate of the key's single photons, and say how."""
    # Nothing is thinned where the number of single photons depends on which rounds make the key; see the module.
    depends = (len(tally.intensities) == 2 and tally.key_errors is not None) or has_intervals(tally.intensities)
    rate, explanation = single_photon_phase_error_rate(
        photons, division.sampling_tail, settings.concentration, tally.key_bits if depends else None
    )
    if settings.detectors is None:
        return rate, explanation
    return with_mismatch(rate, explanation, photons, settings.detectors, division.detector_tail, settings.concentration)


def _certified(tally: DecoyTally, photons: SinglePhotons, settings: DecoyBoundSettings) -> str:
    if photons.intervals is None:
        return what_contradicts(tally)
    return f"of {tally.key_bits} key detections, by single photons ({settings.method}, {settings.intervals})"


def _asymptotic_bits(tally: DecoyTally, method: DecoyMethod, photons: SinglePhotons) -> float:
    point = point_estimate(tally, method, photons)
    return point.key * (1.0 - binary_entropy(point.error_rate))


def _evidence(photons: SinglePhotons) -> Evidence:
    return (
        ("single_photon_test_rounds", float(math.floor(photons.test))),
        ("single_photon_test_errors", float(math.floor(photons.test_errors))),
    )


def _with_announced_key_errors(tally: DecoyTally, disclosed: Disclosed) -> Disclosed:
    """Charge what announcing the key's error counts costs; nothing if the error pattern is public already."""
    if disclosed.two_way or tally.key_errors is None or len(tally.intensities) > 2:
        return disclosed
    announced = sum(count.bit_length() for count in tally.key_counts)
    return replace(disclosed, leakage_bits=disclosed.leakage_bits + announced)


def _consequence(rate: float, photons: SinglePhotons, detectors: DetectorMismatch | None) -> tuple[str, ...]:
    """Say what mismatched detectors would do to the phase-error rate, where they are taken to be matched."""
    if detectors is not None:
        return ()
    worse = worse_phase_error_rate(rate, math.floor(photons.key), _ONE_PERCENT, 1e-10, exact=False)
    return (
        f"{assume.DETECTOR_CONSEQUENCE}: here, at most {worse:.4f} in the place of {rate:.4f}; a DetectorMismatch "
        "bounds it",
    )


_ONE_PERCENT = DetectorMismatch(dark_count_probability=0.0, efficiency_deviation=0.01, dark_count_deviation=0.0)


def _unproven(two_way: bool, accounting: Accounting, detectors: DetectorMismatch | None) -> tuple[str, ...]:
    steps = (
        (two_way, assume.PUBLIC_PATTERN_ARGUMENT),
        (accounting == "partial-states", assume.PARTIAL_STATES),
        (detectors is not None, assume.DETECTOR_ARGUMENT),
    )
    return tuple(step for taken, step in steps if taken)


def _assumptions(tally: DecoyTally, two_way: bool, detectors: DetectorMismatch | None) -> tuple[str, ...]:
    ranges = has_intervals(tally.intensities)
    intensities = assume.INTENSITIES_WITHIN if ranges else assume.INTENSITIES_AS_STATED
    detection = assume.BASIS_INDEPENDENT_DETECTION if detectors is None else assume.BOUNDED_MISMATCH
    correction = assume.ERROR_PATTERN_PUBLIC if two_way else assume.ONE_WAY
    return (*ASSUMPTIONS, intensities, detection, correction)


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
