"""Whether the counts of a host's own records can be those of devices in order.

A test fails if what was counted is less probable than 2^-40 over all tests of a block together, for any device within
the limits: bits drawn independently, each with the same probability, which may be any that the limits allow. What the
limits tolerate besides (a correlation from dead time and afterpulses, a share that drifts) makes the tests duller and
a false alarm rarer. The probability that a value has is known from its own count in the block; each test takes the
worst of the interval in which it lies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from qkdpost.dialogue.messages import AbortReason
from qkdpost.health.limits import RecordLimits
from qkdpost.health.quadratures import quadrature_faults
from qkdpost.health.sequences import MAX_LAG, PARTS, WINDOW_BITS, SequenceHealth
from qkdpost.health.statistics import excess_bits, relative_entropy, share_interval, shortfall_bits
from qkdpost.health.summary import RecordHealth, add_up

__all__ = ["FALSE_ALARM_BITS", "Finding", "judge"]

FALSE_ALARM_BITS = 40
"""A block of devices within the limits is found unfit with probability 2^-40 at most, over all tests together."""
LEGAL_BASIS_SHARE = 0.01
"""A basis that never occurs is found where this share would have shown it; before that there is no key anyway."""
_BASES = ("key", "test")

Share: TypeAlias = tuple[float, float]
"""The least and the largest probability of a one that the counts allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a record shows to be wrong with the devices that wrote it.

    Args:
        reason: the kind of fault; it is all that the peer learns.
        text: what was counted, for this host alone.
    """

    reason: AbortReason
    text: str


def judge(
    healths: Sequence[RecordHealth],
    limits: RecordLimits,
    *,
    test_probability: float = 0.0,
    intensity_probabilities: Sequence[float] = (),
) -> tuple[Finding, ...]:
    """Return what is wrong with a host's records of one block, severest first; nothing, if they are in order.

    Args:
        healths: the counts of each record, at least one.
        limits: what is tolerated.
        test_probability: with which the test basis is chosen, where the link states it; else 0.
        intensity_probabilities: with which each intensity is chosen, with decoy states.

    >>> from qkdpost.health import summarise
    >>> from qkdpost.records import TimeTags
    >>> dead = TimeTags(ticks=range(900), channels=[0, 2, 3] * 300, tick_ps=1.0)
    >>> judge([summarise(dead)], RecordLimits())[0].text
    'detector 1 (outcome 1 of the key basis) never clicked; clicks of detectors 0 / 1 / 2 / 3: 300 / 0 / 300 / 300'
    """
    whole = add_up(healths)
    bits = FALSE_ALARM_BITS + math.log2(_number_of_tests(len(healths), whole))
    return (
        *_unequal_outcomes(whole, limits, bits),
        *_missing_bases(whole, limits, bits),
        *_changed_bases(healths, limits, bits, test_probability),
        *_changed_intensities(healths, whole, limits, bits, intensity_probabilities),
        *_patterns(whole, limits, bits),
        *_unfit_quadratures(whole, limits, bits),
    )


def _number_of_tests(records: int, whole: RecordHealth) -> int:
    """Return no fewer than the one-sided events that are taken to be improbable."""
    of_sequences = (2 * MAX_LAG + 6) * (len(whole.sequences) + 1)
    of_shares = 4 * (records + 2) * (1 + len(whole.intensities))
    of_parts = 4 * PARTS * records
    of_quadratures = 16 + 4 * len(whole.quadratures.pieces) if whole.quadratures is not None else 0
    return of_quadratures + 8 + of_sequences + of_shares + of_parts


# Shares.


def _unequal_outcomes(whole: RecordHealth, limits: RecordLimits, bits: float) -> Iterator[Finding]:
    if limits.max_ratio is None:
        return
    most = limits.max_ratio / (1.0 + limits.max_ratio)
    for basis in (0, 1):
        pair = whole.outcomes[2 * basis : 2 * basis + 2]
        for value in (0, 1):
            if excess_bits(pair[1 - value], sum(pair), most) > bits:
                yield _rare_outcome(whole, 2 * basis + value)


def _rare_outcome(whole: RecordHealth, rare: int) -> Finding:
    which = f"{rare & 1} of the {_BASES[rare >> 1]} basis"
    counts = " / ".join(f"{count:,}" for count in whole.outcomes)
    if whole.prepared:
        how = "never" if not whole.outcomes[rare] else "too rarely"
        return Finding(
            reason=AbortReason.BITS_NOT_RANDOM,
            text=f"bit {which} was {how} prepared; pulses with bit 0 / 1 of the key, 0 / 1 of the test basis: {counts}",
        )
    how = "never clicked" if not whole.outcomes[rare] else "clicked far more rarely than the other of its basis"
    return Finding(
        reason=AbortReason.DETECTOR_UNFIT,
        text=f"detector {rare} (outcome {which}) {how}; clicks of detectors 0 / 1 / 2 / 3: {counts}",
    )


def _missing_bases(whole: RecordHealth, limits: RecordLimits, bits: float) -> Iterator[Finding]:
    if limits.min_basis_share is None:
        return
    in_basis = (whole.total - whole.in_test_basis, whole.in_test_basis)
    for basis in (0, 1):
        least = limits.min_basis_share if in_basis[basis] else LEGAL_BASIS_SHARE
        if shortfall_bits(in_basis[basis], whole.total, least) > bits:
            yield Finding(
                reason=AbortReason.BASES_NOT_RANDOM,
                text=f"the {_BASES[basis]} basis occurs {in_basis[basis]:,} times in {whole.total:,}; both are needed",
            )


def _changed_bases(
    healths: Sequence[RecordHealth], limits: RecordLimits, bits: float, stated: float
) -> Iterator[Finding]:
    """The sample of the test basis speaks for the key basis if the odds were the same in every round."""
    if limits.share_drift is None:
        return
    shares = [(health.in_test_basis, health.total) for health in healths]
    drift = limits.share_drift
    parts = [part for health in healths for part in _bases_by_parts(health)]
    text = (
        _changed(shares, drift, bits, "record", "records of the block")
        or _changed(parts, drift, bits, "part", "parts of the records")
        or (_unlike_stated(shares, stated, drift, bits) if stated else "")
    )
    if text:
        yield Finding(reason=AbortReason.BASES_NOT_RANDOM, text=f"the share of the test basis {text}")


def _bases_by_parts(health: RecordHealth) -> Sequence[tuple[int, int]]:
    return next((sequence.parts for name, sequence in health.sequences.items() if name.endswith("bases")), ())


def _changed_intensities(
    healths: Sequence[RecordHealth],
    whole: RecordHealth,
    limits: RecordLimits,
    bits: float,
    stated: Sequence[float],
) -> Iterator[Finding]:
    if limits.share_drift is None or not whole.intensities:
        return
    for label, probability in enumerate(stated):
        shares = [(health.intensities[label], health.total) for health in healths]
        text = _changed(shares, limits.share_drift, bits, "record", "records of the block")
        text = text or _unlike_stated(shares, probability, limits.share_drift, bits)
        if text:
            yield Finding(reason=AbortReason.INTENSITIES_NOT_RANDOM, text=f"the share of intensity {label} {text}")
            return


def _changed(shares: Sequence[tuple[int, int]], drift: float, bits: float, one: str, all_of_them: str) -> str:
    """Say which record or part has a share that no probability in common with the others explains, or nothing."""
    ones, total = sum(count for count, _ in shares), sum(trials for _, trials in shares)
    for place, (count, trials) in enumerate(shares):
        if not trials or total == trials:
            continue
        if trials * relative_entropy(count / trials, (ones - count) / (total - trials)) <= bits:
            continue  # the share of the others lies in the interval of this record
        own = share_interval(count, trials, bits)
        others = share_interval(ones - count, total - trials, bits)
        if max(own[0] - others[1], others[0] - own[1]) > _tolerance(ones / total, drift):
            return (
                f"changed between the {all_of_them}: {count:,} of {trials:,} in {one} {place} (of "
                f"{len(shares)}, from 0), {ones - count:,} of {total - trials:,} in the others"
            )
    return ""


def _unlike_stated(shares: Sequence[tuple[int, int]], stated: float, drift: float, bits: float) -> str:
    ones, total = sum(count for count, _ in shares), sum(trials for _, trials in shares)
    least, most = share_interval(ones, total, bits)
    if total and max(least - stated, stated - most) > _tolerance(stated, drift):
        return f"is {ones:,} of {total:,}; the link states a probability of {stated:g}"
    return ""


def _tolerance(share: float, drift: float) -> float:
    """Return how far a share may drift; the odds of a rare one by the same factor as those of 1/2."""
    return 4.0 * drift * share * (1.0 - share)


# Continuous variables.


def _unfit_quadratures(whole: RecordHealth, limits: RecordLimits, bits: float) -> Iterator[Finding]:
    if whole.quadratures is None:
        return
    what = "symbols" if whole.prepared else "outcomes"
    reason = AbortReason.BITS_NOT_RANDOM if whole.prepared else AbortReason.DETECTOR_UNFIT
    for text in quadrature_faults(whole.quadratures, limits, prepared=whole.prepared, bits=bits):
        yield Finding(reason=reason, text=f"{what} cannot be those of devices in order: {text}")


# Order.


def _patterns(whole: RecordHealth, limits: RecordLimits, bits: float) -> Iterator[Finding]:
    tolerated = limits.prepared_correlation if whole.prepared else limits.detected_correlation
    if tolerated is None:
        return
    for name, sequence in whole.sequences.items():
        unlike_draws = partial(_unlike_draws, sequence, tolerated)
        text = _constant(sequence, bits) or _for_any_share(unlike_draws, sequence.ones, sequence.length, bits)
        if text:
            yield Finding(reason=_reason_of(name), text=f"{name} do not look drawn at random: {text}")
    periodic = partial(_periodic_in_slots, whole, tolerated)
    text = _for_any_share(periodic, whole.in_test_basis, whole.total, bits)
    if text:
        yield Finding(reason=AbortReason.BASES_NOT_RANDOM, text=f"detection bases repeat in the slots: {text}")


def _reason_of(name: str) -> AbortReason:
    if "bases" in name:
        return AbortReason.BASES_NOT_RANDOM
    return AbortReason.INTENSITIES_NOT_RANDOM if "intensities" in name else AbortReason.BITS_NOT_RANDOM


def _constant(sequence: SequenceHealth, bits: float) -> str:
    """Repetition count (SP 800-90B, 4.4.1): given how many there are of a value, a run begins at any of n places.

    The other value is taken to be half as frequent as it is.
    """
    if not 0 < sequence.ones < sequence.length:
        return ""  # its share shows it, where constant is wrong
    for value, run, count in (
        (0, sequence.longest_zeros, sequence.length - sequence.ones),
        (1, sequence.longest_ones, sequence.ones),
    ):
        if not run:
            continue
        share = 1.0 - (1.0 - count / sequence.length) / 2.0
        if -run * math.log2(share) - math.log2(sequence.length) > bits:
            return f"{value} came {run:,} times in a row"
    return ""


def _for_any_share(test: Callable[[Share, float], str], ones: int, total: int, bits: float) -> str:
    """Return what `test` says of the interval of shares that explain `ones` of `total`.

    It says less the wider an interval is. So it is asked first of the counted share alone, which lies in the interval,
    with a bit to spare for rounding: nearly always there is nothing to be said then, and no interval to be found.
    """
    own = ones / total if total else 0.0
    return test(share_interval(ones, total, bits), bits) if test((own, own), bits - 1.0) else ""


def _unlike_draws(sequence: SequenceHealth, tolerated: float, share: Share, bits: float) -> str:
    return _uneven(sequence, tolerated, share, bits) or _periodic(sequence, tolerated, share, bits)


def _uneven(sequence: SequenceHealth, tolerated: float, share: Share, bits: float) -> str:
    """Adaptive proportion (SP 800-90B, 4.4.2), of both values and in all windows.

    A share that wanders by d makes a correlation of d^2 / (p (1 - p)), which is what is tolerated.
    """
    if not sequence.windows:
        return ""
    needed = bits + math.log2(sequence.windows)
    least, most = share
    wander = math.sqrt(tolerated * _widest(least, most))
    if excess_bits(sequence.max_ones, WINDOW_BITS, min(1.0, most + wander)) > needed:
        return f"{sequence.max_ones} ones in a window of {WINDOW_BITS}"
    if shortfall_bits(sequence.min_ones, WINDOW_BITS, max(0.0, least - wander)) > needed:
        return f"{sequence.min_ones} ones in a window of {WINDOW_BITS}"
    return ""


def _periodic(sequence: SequenceHealth, tolerated: float, share: Share, bits: float) -> str:
    """Correlation at each distance.

    Pairs at one distance fall into two sets of independent pairs each, which is why half their number counts (Janson,
    Random Struct. Algorithms 24, 234 (2004), for sums with such a dependence).
    """
    least, most = share
    fewest = 2.0 * min(least * (1.0 - least), most * (1.0 - most)) * (1.0 - tolerated)
    largest = min(1.0, 2.0 * _widest(least, most) * (1.0 + tolerated))
    counts: list[int] = sequence.disagreements.tolist()
    low, high, half = min(counts), max(counts), sequence.pairs / 2.0
    if shortfall_bits(low / 2.0, half, fewest) > bits:
        found = low
    elif excess_bits(high / 2.0, half, largest) > bits:
        found = high
    else:
        return ""
    equal, distance = sequence.pairs - found, counts.index(found) + 1
    return f"{equal:,} of {sequence.pairs:,} are equal to the one {distance} places further on"


def _periodic_in_slots(whole: RecordHealth, tolerated: float, share: Share, bits: float) -> str:
    """Correlation of bases by the distance in slots, where an afterpulse may look like the click before.

    Where the basis is chosen by a beam splitter, an afterpulse comes in the basis of its click: what is equal at small
    distances is no finding, and at larger ones must be so by the root of what is tolerated. Any period shows there.
    """
    if not whole.slot_pairs.any():
        return ""
    least, most = share
    fewest = 2.0 * min(least * (1.0 - least), most * (1.0 - most)) * (1.0 - math.sqrt(tolerated))
    largest = min(1.0, 2.0 * _widest(least, most) * (1.0 + tolerated))
    counts = zip(whole.slot_pairs.tolist(), whole.slot_disagreements.tolist(), strict=True)
    for distance, (pairs, different) in enumerate(counts, 1):
        if not pairs or fewest <= different / pairs <= largest:
            continue
        too_equal = distance > MAX_LAG // 2 and shortfall_bits(different / 2.0, pairs / 2.0, fewest) > bits
        if too_equal or excess_bits(different / 2.0, pairs / 2.0, largest) > bits:
            return f"{pairs - different:,} of {pairs:,} are equal to the one {distance} slots further on"
    return ""


def _widest(least: float, most: float) -> float:
    """Return the largest p (1 - p) of an interval."""
    return 0.25 if least <= 0.5 <= most else max(least * (1.0 - least), most * (1.0 - most))
