"""Secret length of BB84 with weak coherent pulses and decoy intensities.

Default: the variable-length theorem (`variable_length`) for the rounds in which one photon was sent.

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
    alone: given the photon numbers of all rounds, their labels are independent of all else, and alike for all single
    photons, so that the law of these counts is the same whichever of them make the key.
    With one decoy this is not so: n comes from the errors of the key as well, which an attack may have made where the
    phase errors are. Then nothing is thinned. The n1 rounds hold n1 (1 - h(K(n1, k, v) / n1)) bits, and what is
    claimed is a length that none of n <= n1 <= (all key detections) falls below, which costs one error as a rule
    (`envelope.most_errors_of_longer`). Serfling's bound needs neither: its rate falls with n1, so that its length for
    n is exceeded by that for n1.

Where epsilon goes
    "published" (default): the theorem asks for one probability eps_AT^2 for all that may fail; decoy events and
    sampling share it, half each, and secrecy is 2 eps_AT + eps_PA.
    "partial-states": the decoy events are classical events, defined on registers (photon numbers and labels) that
    exist beside the key. Split the state into a part g in which they all hold and a part b in which one fails, of
    weight P_dec. The distance from an ideal key is at most that of g, to which the theorem applies with the sampling
    alone (the probability that sampling fails *and* the part is g is at most the tail), plus the weight of b:
    secrecy is P_dec + 2 sqrt(P_sampling) + eps_PA. Fixed-length proofs count in this way. The argument is this
    library's own, has been seen by no referee, and is therefore an option, not the default.

Intensities that are known to lie in intervals
    The tally may give pairs for intensities. Then the numbers of single photons are bounded for all that pulses may
    have had in there, each its own (`intensity_ranges`). The thinning above asks that, given the photon numbers, labels
    be independent of all else and alike for all single photons. With intensities that differ from pulse to pulse they
    are independent but no longer alike, so that the law of the counts hangs a little on which rounds make the key.
    Nothing is thinned then: as with one decoy, what is claimed is a length that none of n <= n1 <= (all key detections)
    falls below. Detectors that are not alike, whose argument is thinned as well, are refused.

Rounds without a photon give no key here: the theorem has no term for them. Published fixed-length forms that have
one drop it when correction was two-way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from qkdpost.checks import choice, flag, instance, whole_number
from qkdpost.errors import ConfigurationError
from qkdpost.link_parts import DecoyAcceptance
from qkdpost.security import assumptions as assume
from qkdpost.security.decoy.analytic import IntervalMethod
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch, worse_phase_error_rate
from qkdpost.security.decoy.published_lengths import PUBLISHED, published_length
from qkdpost.security.decoy.single_photons import (
    DecoyMethod,
    SinglePhotons,
    count_events,
    counted,
    estimate_single_photons,
    point_estimate,
    what_contradicts,
)
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.qubits.phase_errors import Concentration, check_concentration
from qkdpost.security.result import SecretLength
from qkdpost.security.theorem import AMPLIFICATION_SHARE, divide_secrecy, ledger_of_theorem, variable_length
from qkdpost.statistics.concentration import hypergeometric_key_errors, serfling_deviation
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.statistics.error_envelope import most_errors_of_longer
from qkdpost.tallies import DecoyTally

__all__ = ["ASSUMPTIONS", "Accounting", "secret_length", "single_photon_phase_error_rate"]

Accounting = Literal["published", "partial-states"]
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
    bound: str = "variable-length",
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
        detectors: a bound on their mismatch, if they are not taken to be alike. For the same; needs one-way
            correction, for no proof is known that joins a public error pattern with it, nor the key's error counts.
        verification_bits: how much of the leakage verification was; see `bb84.secret_length`.
        acceptance: for fixed-length bounds, the thresholds that were set before the data were seen. Without it,
            the counts themselves are taken to be the thresholds, as when a link is planned.

    Raises:
        InputError: impossible numbers of bits, or no `DecoyTally`.
        ConfigurationError: unknown names, verification charged too little, options that contradict each other, or
            intervals of intensities with a published bound.

    >>> tally = DecoyTally(
    ...     intensities=((0.48, 0.52), (0.09, 0.11), 0.0), probabilities=(0.7, 0.2, 0.1),
    ...     key_counts=(28_000_000, 1_600_000, 10), test_counts=(3_500_000, 200_000, 1), test_errors=(35_000, 2_000, 0))
    >>> secret_length(tally, leakage_bits=3_000_000, epsilon=1e-10).bits > 5_000_000
    True
    """
    tally = counted(tally)
    leakage_bits = whole_number("leakage_bits", leakage_bits)
    two_way = flag("two_way", two_way)  # None, which is not True, would give more key
    budget = Epsilon.coerce(epsilon)
    bound = choice("bound", bound, ("variable-length", *PUBLISHED), error=ConfigurationError)
    if detectors is not None:
        detectors = instance("detectors", detectors, DetectorMismatch, error=ConfigurationError)
    if acceptance is not None:
        acceptance = instance("acceptance", acceptance, DecoyAcceptance, error=ConfigurationError)
    if bound != "variable-length":
        if detectors is not None:
            raise ConfigurationError(f"{bound} takes detectors to be alike; use the variable-length bound")
        return published_length(
            bound,
            tally,
            leakage_bits=leakage_bits,
            verification_bits=verification_bits,
            epsilon=budget,
            two_way=two_way,
            acceptance=acceptance,
            # The errors of the key that a bound with one decoy announces are taken for public with all they tell.
            assumptions=(
                *_assumptions(tally, two_way or len(tally.intensities) == 2, None),
                assume.DETECTOR_CONSEQUENCE,
            ),
        )
    if acceptance is not None:
        raise ConfigurationError("a variable-length bound has no acceptance thresholds; leave them out")
    if detectors is not None and two_way:
        raise ConfigurationError("with detectors that are not alike no proof allows two-way correction")
    by_key_errors = len(tally.intensities) == 2 and tally.key_errors is not None
    drifts = any(isinstance(intensity, tuple) for intensity in tally.intensities)
    if detectors is not None and drifts:
        raise ConfigurationError("with detectors that are not alike no proof takes intensities in intervals")
    if detectors is not None and by_key_errors:
        raise ConfigurationError("with detectors that are not alike no proof counts single photons by the key's errors")
    plan = _plan(budget, accounting, count_events(tally, method), detectors is not None)
    photons = estimate_single_photons(tally, method=method, intervals=intervals, tail=plan.decoy_tail)
    longest = tally.key_bits if by_key_errors or drifts else None
    rate, explanation = single_photon_phase_error_rate(photons, plan.sampling_tail, concentration, longest)
    if detectors is not None:
        exact = concentration == "hypergeometric"
        rate = worse_phase_error_rate(rate, math.floor(photons.key), detectors, plan.detector_tail, exact=exact)
        explanation = (
            f"-n h({rate:.5f}) with detectors that are not alike (delta1 {detectors.delta1:.3g}, "
            f"delta2 {detectors.delta2:.3g}); were they alike, {explanation}"
        )
    point = point_estimate(tally, method, photons)
    return variable_length(
        bound="variable-length",
        certified_bits=math.floor(photons.key),
        certified_explanation=(
            f"of {tally.key_bits} key detections, by single photons ({method}, {intervals})"
            if photons.intervals is not None
            else what_contradicts(tally)
        ),
        phase_error_rate=rate,
        phase_error_explanation=explanation,
        leakage_bits=leakage_bits + _announced_key_errors(tally, two_way),
        verification_bits=verification_bits,
        ledger=plan.ledger,
        amplification_epsilon=plan.amplification,
        asymptotic_bits=point.key * (1.0 - binary_entropy(point.error_rate)),
        key_bits=tally.key_bits,
        assumptions=(*_assumptions(tally, two_way, detectors), *_consequence(rate, photons, detectors)),
        unproven=_unproven(two_way, accounting, detectors),
    )


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
            worst = most_errors_of_longer(key, longest, test, wrong, tail, worst)
        rate = min(0.5, worst / key)
        return rate, f"-n h({rate:.5f}): {seen}, at most {worst} in the key (exact hypergeometric)"
    rate = min(0.5, photons.error_rate + serfling_deviation(key, test, tail))
    return rate, f"-n h({rate:.5f}): {seen}, plus Serfling's deviation"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the budget is spent; fixed by the number of events, before any count is looked at."""

    decoy_tail: float
    sampling_tail: float
    detector_tail: float
    amplification: float
    ledger: EpsilonLedger


def _plan(budget: Epsilon, accounting: Accounting, events: int, mismatch: bool) -> _Plan:
    """Divide the budget.

    Raises:
        ConfigurationError: an unknown accounting.
    """
    choice("accounting", accounting, ("published", "partial-states"), error=ConfigurationError)
    detectors = " (half), or one of two detector events (a quarter each)" if mismatch else ""
    if accounting == "published":
        attempt, amplification = divide_secrecy(budget)
        everything = attempt**2
        decoy, sampling = everything / 2.0 / events, everything / 2.0
        meaning = f"at tail eps_AT^2: one of {events} decoy events at {decoy:.3g} each, or sampling{detectors}"
        ledger = ledger_of_theorem(
            "variable-length theorem, 2 eps_AT + eps_PA", budget, attempt, amplification, meaning
        )
    else:
        amplification = budget.secrecy * AMPLIFICATION_SHARE
        linear = budget.secrecy / 2.0
        attempt = (budget.secrecy - amplification - linear) / 2.0
        decoy, sampling = linear / events, attempt**2
        ledger = _ledger_of_partial_states(budget, decoy, events, attempt, amplification, detectors)
    if mismatch:
        return _Plan(decoy, sampling / 2.0, sampling / 4.0, amplification, ledger)
    return _Plan(decoy, sampling, 0.0, amplification, ledger)


def _ledger_of_partial_states(
    budget: Epsilon, decoy: float, events: int, attempt: float, amplification: float, detectors: str
) -> EpsilonLedger:
    return EpsilonLedger(
        proof="variable-length theorem on partial states, P_dec + 2 eps_AT + eps_PA",
        budget=budget,
        terms=(
            EpsilonTerm(name="eps_decoy", value=decoy, weight=float(events), meaning="a decoy event"),
            EpsilonTerm(name="eps_AT", value=attempt, weight=2.0, meaning=f"at tail eps_AT^2: sampling{detectors}"),
            EpsilonTerm(name="eps_PA", value=amplification, weight=1.0, meaning="the hash is not quite uniform"),
        ),
    )


def _announced_key_errors(tally: DecoyTally, two_way: bool) -> int:
    """Return the bits that announcing the key's error counts costs; none if the error pattern is public anyhow."""
    if two_way or tally.key_errors is None or len(tally.intensities) > 2:
        return 0
    return sum(count.bit_length() for count in tally.key_counts)


def _consequence(rate: float, photons: SinglePhotons, detectors: DetectorMismatch | None) -> tuple[str, ...]:
    """Say what detectors that are not alike would do to the phase-error rate, where they are taken to be alike."""
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
    drifts = any(isinstance(intensity, tuple) for intensity in tally.intensities)
    intensities = assume.INTENSITIES_WITHIN if drifts else assume.INTENSITIES_AS_STATED
    likeness = assume.BASIS_INDEPENDENT_DETECTION if detectors is None else assume.BOUNDED_MISMATCH
    correction = assume.ERROR_PATTERN_PUBLIC if two_way else assume.ONE_WAY
    return (*ASSUMPTIONS, intensities, likeness, correction)
