"""What the bounds need to know of a block, beyond `records.Tally`: counts per basis and intensity; all of it public.

`records.Tally` is the tally of rounds that carry one qubit each, key in one basis and test in the other;
`SampledTally` that of such rounds with key and test in both. The other two are for sources that sometimes send none
or several photons: weak coherent pulses with decoy intensities, and single-photon sources with a measured g2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from qkdpost.errors import InputError
from qkdpost.records import LARGEST_COUNT

__all__ = ["DecoyTally", "SampledTally", "SinglePhotonTally"]

MOST_INTENSITIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTally:
    """Counts of a block of which a random sample of all sifted rounds was compared, and the rest makes key.

    Each is a pair: first the rounds with both sides in the key basis, then those with both in the test basis. Both
    bases make key here; that of one is judged by the sample of the other.

    Args:
        key_bits: sifted bits that were not compared, and may become key.
        test_bits: sampled rounds, compared in public.
        test_errors: how many of these differed.
    """

    key_bits: tuple[int, int]
    test_bits: tuple[int, int]
    test_errors: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("key_bits", "test_bits", "test_errors"):
            counts = getattr(self, name)
            if len(counts) != 2:
                raise InputError(f"{name} needs one count for each of 2 bases; found {len(counts)}")
            _check_counts(name, counts, 2)
        _check_errors("sampled", self.test_errors, self.test_bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyTally:
    """Counts of a decoy-state block, per intensity, in the order of `intensities`.

    All intensities make key; the labels that say which pulse had which are announced after detection.

    Args:
        intensities: mean photon numbers, strictly decreasing, the last may be zero; two of them are one decoy,
            three are two decoys.
        probabilities: with which each is chosen; they add up to one.
        key_counts: detections with both sides in the key basis.
        test_counts: detections with both sides in the test basis, all compared in public.
        test_errors: how many of these differed.
        key_errors: how many key bits differed, known after correction; needed with one decoy, where they bound
            the detections without a photon, and of no use with more.
    """

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]
    key_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    test_errors: tuple[int, ...]
    key_errors: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_intensities(self.intensities, self.probabilities)
        for name in ("key_counts", "test_counts", "test_errors", "key_errors"):
            counts = getattr(self, name)
            if counts is not None:
                _check_counts(name, counts, len(self.intensities))
        _check_errors("test", self.test_errors, self.test_counts)
        if self.key_errors is not None:
            _check_errors("key", self.key_errors, self.key_counts)

    @property
    def key_bits(self) -> int:
        """Sifted bits that may become key."""
        return sum(self.key_counts)

    @property
    def test_bits(self) -> int:
        """Rounds of the test basis."""
        return sum(self.test_counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonTally:
    """Counts of a block from a single-photon source without decoys, and what is known of the source.

    Args:
        pulses_sent: how many pulses left the sender.
        key_probability: the probability that a pulse is prepared *and* measured in the key basis, detected or not.
        test_probability: the same for the test basis.
        mean_photons: <n> at the channel's input, an upper confidence limit.
        g2: <n (n - 1)> / <n>^2 at the channel's input, an upper confidence limit.
        key_bits: detections with both sides in the key basis.
        test_bits: detections with both sides in the test basis, all compared in public.
        test_errors: how many of these differed.
    """

    pulses_sent: int
    key_probability: float
    test_probability: float
    mean_photons: float
    g2: float
    key_bits: int
    test_bits: int
    test_errors: int

    def __post_init__(self) -> None:
        for name in ("pulses_sent", "key_bits", "test_bits", "test_errors"):
            _check_count(name, getattr(self, name))
        _check_errors("test", (self.test_errors,), (self.test_bits,))
        if self.key_bits + self.test_bits > self.pulses_sent:
            raise InputError(
                f"{self.key_bits} key and {self.test_bits} test detections of {self.pulses_sent} pulses cannot be"
            )
        for name in ("key_probability", "test_probability"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise InputError(f"{name} must lie in 0 ... 1; found {getattr(self, name)}")
        if self.key_probability + self.test_probability > 1.0 + 1e-12:
            raise InputError("key_probability and test_probability add up to more than one")
        if not 0.0 < self.mean_photons <= 20.0:
            raise InputError(f"mean_photons must lie in 0 ... 20; found {self.mean_photons}")
        if not 0.0 <= self.g2 <= 1e6:
            raise InputError(f"g2 must not be negative; found {self.g2}")


def check_intensities(intensities: Sequence[float], probabilities: Sequence[float]) -> None:
    """Check a set of intensities and the probabilities with which they are chosen.

    Raises:
        InputError: too few or many, not strictly decreasing, negative, or probabilities that do not add up to one.
    """
    count = len(intensities)
    if not 2 <= count <= MOST_INTENSITIES or len(probabilities) != count:
        raise InputError(
            f"2 ... {MOST_INTENSITIES} intensities with one probability each are allowed; "
            f"found {count} and {len(probabilities)}"
        )
    ordered = all(high > low for high, low in itertools.pairwise(intensities))
    if not ordered or not intensities[-1] >= 0.0 or not intensities[0] <= 20.0:
        raise InputError(f"intensities must be strictly decreasing from 20 to 0; found {tuple(intensities)}")
    if not all(0.0 < probability < 1.0 for probability in probabilities):
        raise InputError(f"every probability must lie in 0 ... 1; found {tuple(probabilities)}")
    if abs(math.fsum(probabilities) - 1.0) > 1e-9:
        raise InputError(f"the probabilities must add up to one; found {math.fsum(probabilities)}")


def _check_count(name: str, count: int) -> None:
    if not 0 <= count <= LARGEST_COUNT or count != int(count):
        raise InputError(f"{name} must be a whole number in 0 ... 2^53; found {count}")


def _check_counts(name: str, counts: Sequence[int], length: int) -> None:
    if len(counts) != length:
        raise InputError(f"{name} needs one count for each of {length} intensities; found {len(counts)}")
    for count in counts:
        _check_count(name, count)
    _check_count(f"the sum of {name}", sum(counts))


def _check_errors(basis: str, errors: Sequence[int], counts: Sequence[int]) -> None:
    for wrong, count in zip(errors, counts, strict=True):
        if wrong > count:
            raise InputError(f"{wrong} errors in {count} {basis} detections cannot be")
