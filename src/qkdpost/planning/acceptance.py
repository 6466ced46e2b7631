"""Acceptance thresholds of a fixed-length protocol, from what a block is expected to count.

Counts scatter from block to block. Each threshold stands several standard deviations on the safe side of what is
expected, so that an honest block meets it nearly always; the length that this costs is the price of a fixed length.
The thresholds say nothing about security, which holds for any that were set before the data were seen; ill-chosen
ones only cost key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias

import msgspec

from qkdpost.checks import instance, real_number
from qkdpost.config import LinkConfig
from qkdpost.display import html_table
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning.parameters import check_efficiency
from qkdpost.protocols.table import protocol_of
from qkdpost.reconciliation.ldpc.frame_choice import most_verdict_bits
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.photon_statistics import PhotonStatistics
from qkdpost.security.decoy.published.estimates import DecoyCounts, PublishedEstimate
from qkdpost.security.decoy.published.lengths import published_estimate
from qkdpost.security.decoy.tally import DecoyTally, fixed_intensities
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.tally import Tally
from qkdpost.security.result import SecretLength
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.statistics.error_rate import sample_size

__all__ = ["FixedLengthPlan", "PlannedBound", "plan_fixed_length"]

PlannedBound = Literal["tomamichel-leverrier-2017", "lim-2021", "wiesemann-2026"]
"""The bounds whose thresholds can be planned."""

Vectors: TypeAlias = Sequence[Sequence[float] | None]
"""Counts per intensity: of the key, of the test, its errors, and the errors of the key where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedLengthPlan:
    """A link with its thresholds set, and what a block that meets them gives.

    Args:
        config: the configuration for both hosts, with `bound` and `acceptance` in its security.
        result: the planned length with all its terms; a session takes what authentication costs off it. Where it is
            zero, `result.reason` says why.

    >>> import qkdpost as qp
    >>> link = qp.planning.BBM92Link(fibre_km=10)
    >>> plan = qp.planning.plan_fixed_length(link.link_config(), link.expected_tally(10**9), bound="lim-2021")
    >>> plan.config.security.bound, plan.result.form
    ('lim-2021', 'fixed-length')
    """

    config: LinkConfig
    result: SecretLength

    def __str__(self) -> str:
        return f"{self.config.security.acceptance}\n{self.result}"

    def __repr__(self) -> str:
        return f"FixedLengthPlan(bits={self.result.bits}, bound={self.result.bound!r})"

    def _repr_html_(self) -> str:
        rows = [("kind", self.config.protocol.kind), ("accepted from", str(self.config.security.acceptance))]
        return html_table(f"fixed length: {self.result.bits:,} bits", rows, more=str(self.result))


def plan_fixed_length(
    config: LinkConfig,
    expected: Tally | DecoyTally,
    *,
    bound: PlannedBound,
    efficiency: float = 1.2,
    deviations: float = 4.0,
    key_error_rate: float | None = None,
) -> FixedLengthPlan:
    """Set the thresholds of a fixed-length bound for blocks that are expected to count `expected`.

    Args:
        config: of the link; `bound`, `acceptance` and `planned_key_bits` of its security are replaced.
        expected: the sifted counts of a block, as the planned link's `expected_tally(pulses)`, or those of past
            blocks; of the type that the kind of link tallies. They must not be those of the block to be judged.
        bound: "wiesemann-2026" for decoy states; "tomamichel-leverrier-2017" or "lim-2021" for one qubit a round.
        efficiency: f of error correction at worst: it may disclose f n h(error rate).
        deviations: how many standard deviations each threshold is from what is expected: 4 miss one honest block in
            thirty thousand or so, 3 one in seven hundred.
        key_error_rate: that of the key, if it is not what `expected` has (with a `Tally`, that of the test).

    Raises:
        InputError: a number out of range, or too few counts for thresholds.
        ConfigurationError: a bound that is not for this kind of link or not fixed-length, or a tally of another kind
            or of other intensities.

    >>> import qkdpost as qp
    >>> link = qp.planning.BBM92Link(fibre_km=10)
    >>> plan = qp.planning.plan_fixed_length(
    ...     link.link_config(), link.expected_tally(10**9), bound="tomamichel-leverrier-2017"
    ... )
    >>> plan.result.bits > 10_000
    True
    """
    instance("config", config, LinkConfig)
    efficiency = check_efficiency(efficiency)
    deviations = real_number("deviations", deviations, least=0.0, most=40.0)
    if key_error_rate is not None:
        key_error_rate = real_number("key_error_rate", key_error_rate, least=0.0, most=0.5)
    if str(bound) == "variable-length":
        raise ConfigurationError(
            "a variable-length bound has no thresholds: name a fixed-length bound, or set planned_key_bits of security"
        )
    _check_expected(config, expected)
    margin = _Margin(config, efficiency, deviations, key_error_rate)
    counted, acceptance = _thresholds(margin, expected, bound)
    security = msgspec.structs.replace(config.security, bound=bound, acceptance=acceptance, planned_key_bits=0)
    planned = msgspec.structs.replace(config, security=security)
    return FixedLengthPlan(config=planned, result=_result(planned, counted, acceptance.leakage_bits))


def _check_expected(config: LinkConfig, expected: Tally | DecoyTally) -> None:
    """Check that the expected counts are of the type that the link tallies, and for its intensities."""
    settings = config.protocol
    wanted = DecoyTally if settings.intensities else Tally
    if not isinstance(expected, wanted):
        raise ConfigurationError(
            f"blocks of kind {settings.kind!r} are tallied as {wanted.__name__}; found {type(expected).__name__}"
        )
    if not isinstance(expected, DecoyTally):
        return
    found, stated = (expected.intensities, expected.probabilities), (settings.intensities, settings.probabilities)
    if found != stated:
        raise ConfigurationError(
            f"expected must have the link's intensities and probabilities, {stated}; found other intensities or "
            f"probabilities, {found}"
        )


@dataclass(frozen=True, slots=True)
class _Margin:
    """How far from what is expected the thresholds stand."""

    config: LinkConfig
    efficiency: float
    deviations: float
    key_error_rate: float | None

    def below(self, count: int) -> int:
        return max(0, math.floor(count - self.deviations * math.sqrt(count)))

    def beyond(self, count: int) -> int:
        return math.ceil(count + self.deviations * math.sqrt(count))

    def above(self, rate: float, bits: int) -> float:
        """Return an error rate that `bits` bits at `rate` hardly ever exceed; zero errors prove no zero rate."""
        errors = rate * bits
        return min(0.5, (errors + self.deviations * math.sqrt(errors + 1.0)) / bits) if bits else 0.5

    def leakage(self, key_bits: int, rate: float) -> int:
        """Return how much correction and verification of `key_bits` bits may disclose, if no frame is dropped.

        Nothing is set aside for frames that are, which are charged whole, nor for the tag that then is said again.
        """
        config = self.config
        rate = rate if self.key_error_rate is None else self.key_error_rate
        correction = math.ceil(self.efficiency * key_bits * binary_entropy(self.above(rate, key_bits)))
        frames = -(-key_bits // config.blocks.frame_bits) * (config.blocks.frame_tag_bits + 1)
        of_the_block = Epsilon.split(config.security.epsilon).verification_charge_bits + 1
        return correction + frames + self._verdicts(key_bits) + of_the_block

    def _verdicts(self, key_bits: int) -> int:
        """Return how many verdicts on LDPC frames may be said of `key_bits` bits or fewer, each charged."""
        ldpc = self.config.correction.ldpc
        if ldpc is None or not key_bits:
            return 0
        return most_verdict_bits(key_bits, frame_bits=ldpc.frame_bits, blind_rounds=ldpc.blind_rounds)


def _thresholds(
    margin: _Margin, expected: Tally | DecoyTally, bound: str
) -> tuple[Tally | DecoyTally, QubitAcceptance | DecoyAcceptance]:
    """Return the counts of a block that is just accepted, or what is expected of it, and the thresholds."""
    if isinstance(expected, DecoyTally):
        counted = _without_sample(expected)
        return counted, _decoy_thresholds(margin, counted, bound)
    acceptance = _qubit_thresholds(margin, expected)
    errors = math.floor(Fraction(acceptance.tolerated_error_rate) * acceptance.test_bits)
    return Tally(key_bits=acceptance.key_bits, test_bits=acceptance.test_bits, test_errors=errors), acceptance


def _qubit_thresholds(margin: _Margin, expected: Tally) -> QubitAcceptance:
    sifted, test_bits = margin.below(expected.key_bits), margin.below(expected.test_bits)
    key_bits = sifted - sample_size(sifted)
    if not key_bits or not test_bits:
        raise InputError(
            f"too few for thresholds: {expected.key_bits} key and {expected.test_bits} test bits; plan larger blocks"
        )
    rate = expected.test_errors / expected.test_bits
    return QubitAcceptance(
        key_bits=key_bits,
        test_bits=test_bits,
        tolerated_error_rate=min(margin.above(rate, test_bits), math.nextafter(0.5, 0.0)),
        leakage_bits=margin.leakage(key_bits, rate),
    )


def _without_sample(expected: DecoyTally) -> DecoyTally:
    """Take off what is sampled from the key to set up correction."""
    sampled = sample_size(expected.key_bits)

    def kept(counts: Sequence[int]) -> tuple[int, ...]:
        return tuple(count - count * sampled // max(1, expected.key_bits) for count in counts)

    errors = None if expected.key_errors is None else kept(expected.key_errors)
    return replace(expected, key_counts=kept(expected.key_counts), key_errors=errors)


def _decoy_thresholds(margin: _Margin, counted: DecoyTally, bound: str) -> DecoyAcceptance:
    estimate = _estimator(counted, bound, Epsilon.split(margin.config.security.epsilon))
    counts = [counted.key_counts, counted.test_counts, counted.test_errors, counted.key_errors]
    found, spread = estimate(counts), _spread(estimate, counts)
    wrong = counted.test_errors if counted.key_errors is None else counted.key_errors
    bits = counted.test_bits if counted.key_errors is None else counted.key_bits
    vacuum = found.vacuum - margin.deviations * spread.vacuum if margin.config.correction.corrects_one_way else 0.0
    return DecoyAcceptance(
        vacuum=max(0, math.floor(vacuum)),
        single_photons=max(0, math.floor(found.key - margin.deviations * spread.key)),
        phase_error_rate=min(0.5, found.phase_error_rate + margin.deviations * spread.phase_error_rate),
        leakage_bits=margin.leakage(margin.beyond(counted.key_bits), min(0.5, sum(wrong) / max(1, bits))),
    )


def _estimator(counted: DecoyTally, bound: str, epsilon: Epsilon) -> Callable[[Vectors], PublishedEstimate]:
    """Return what the bound makes of key counts, test counts, test errors and errors of the key."""
    points = fixed_intensities(counted.intensities, f"bound {bound!r}", error=ConfigurationError)
    source = PhotonStatistics(points, counted.probabilities)

    def estimate(vectors: Vectors) -> PublishedEstimate:
        key, test, errors, key_errors = vectors
        counts = DecoyCounts(
            source=source,
            key_counts=key or (),
            test_counts=test or (),
            test_errors=errors or (),
            key_errors=key_errors,
        )
        return published_estimate(bound, counts, epsilon)

    return estimate


def _spread(estimate: Callable[[Vectors], PublishedEstimate], counts: Vectors) -> PublishedEstimate:
    """Return the standard deviation of each estimate where every count scatters by its own root."""
    names = ("vacuum", "key", "test", "test_errors", "phase_error_rate")
    squares = dict.fromkeys(names, 0.0)
    for place, vector in enumerate(counts):
        for label in range(len(vector or ())):
            high, low = (estimate(_moved(counts, place, label, sign)) for sign in (1.0, -1.0))
            for name in names:
                squares[name] += ((getattr(high, name) - getattr(low, name)) / 2.0) ** 2
    return PublishedEstimate(vacuum_upper=math.nan, **{name: math.sqrt(value) for name, value in squares.items()})


def _moved(counts: Vectors, place: int, label: int, sign: float) -> Vectors:
    vector = list(counts[place] or ())
    vector[label] = max(0.0, vector[label] + sign * math.sqrt(vector[label] + 1.0))
    return [*counts[:place], vector, *counts[place + 1 :]]


def _result(planned: LinkConfig, counted: Tally | DecoyTally, leakage_bits: int) -> SecretLength:
    """Apply the bound as a session does, at the thresholds."""
    disclosed = Disclosed(
        leakage_bits=leakage_bits,
        verification_bits=Epsilon.split(planned.security.epsilon).verification_charge_bits,
        two_way=not planned.correction.corrects_one_way,
    )
    return protocol_of(planned.protocol).secret_length(planned.protocol, planned.security, counted, disclosed)
