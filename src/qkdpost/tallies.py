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
from typing import TypeAlias

from qkdpost.checks import listed, numbers, real_number, whole_number, whole_numbers
from qkdpost.errors import InputError, QkdpostError

__all__ = ["DecoyTally", "Intensity", "SampledTally", "SinglePhotonTally"]

Intensity: TypeAlias = float | tuple[float, float]
"""A mean photon number, or the two ends of an interval in which it is known to lie."""

MAX_INTENSITIES = 8
MAX_INTENSITY = 20.0
MIN_INTENSITY = 1e-12
"""An intensity is none or at least this: products of smaller ones are no numbers, and no laser is so faint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTally:
    """Counts of a block of which a random sample of all sifted rounds was compared, and the rest makes key.

    Each is a pair: first the rounds with both sides in the key basis, then those with both in the test basis. Both
    bases make key here; that of one is judged by the sample of the other.

    Args:
        key_counts: sifted bits that were not compared, and may become key.
        test_counts: sampled rounds, compared in public.
        test_errors: how many of these differed.
    """

    key_counts: tuple[int, int]
    test_counts: tuple[int, int]
    test_errors: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("key_counts", "test_counts", "test_errors"):
            _keep(self, name, whole_numbers(name, getattr(self, name), count=2, each="basis"))
        _check_errors("test", self.test_errors, self.test_counts)

    @property
    def key_bits(self) -> int:
        """Sifted bits that may become key."""
        return sum(self.key_counts)

    @property
    def test_bits(self) -> int:
        """Rounds that were compared."""
        return sum(self.test_counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyTally:
    """Counts of a decoy-state block, per intensity, in the order of `intensities`.

    All intensities make key; the labels that say which pulse had which are announced after detection.

    Args:
        intensities: mean photon numbers, strictly decreasing, the last may be zero; two of them are one decoy,
            three are two decoys. Each is a number, or a pair of the least and the largest that it may have been: every
            pulse may then have had its own between the two, whatever made it so but its basis and bit and the choices
            for other pulses. Intervals must not overlap. (Numbers that are not true give too long a key: at 10^11
            pulses over 20 dB, 4 to 10 % with a signal that is 10 % weaker than stated, 7 to 15 % with a decoy that is
            10 % stronger, 17 to 25 % with both. `security.intensity_sensitivity` tells it of a block.)
        probabilities: with which each is chosen; they add up to one.
        key_counts: detections with both sides in the key basis.
        test_counts: detections with both sides in the test basis, all compared in public.
        test_errors: how many of these differed.
        key_errors: how many key bits differed, known after correction; needed with one decoy, where they bound
            the detections without a photon, and of no use with more.
    """

    intensities: tuple[Intensity, ...]
    probabilities: tuple[float, ...]
    key_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    test_errors: tuple[int, ...]
    key_errors: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        intensities, probabilities = check_intensity_ranges(self.intensities, self.probabilities)
        _keep(self, "intensities", intensities)
        _keep(self, "probabilities", probabilities)
        for name in ("key_counts", "test_counts", "test_errors", "key_errors"):
            counts = getattr(self, name)
            if name != "key_errors" or counts is not None:
                _keep(self, name, whole_numbers(name, counts, count=len(intensities), each="intensity"))
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
            _keep(self, name, whole_number(name, getattr(self, name)))
        _check_errors("test", (self.test_errors,), (self.test_bits,))
        if self.key_bits + self.test_bits > self.pulses_sent:
            raise InputError(
                "key_bits and test_bits together must not exceed pulses_sent; found "
                f"{self.key_bits} + {self.test_bits} > {self.pulses_sent}"
            )
        key, test = check_basis_probabilities(self.key_probability, self.test_probability)
        _keep(self, "key_probability", key)
        _keep(self, "test_probability", test)
        _keep(self, "mean_photons", real_number("mean_photons", self.mean_photons, above=0.0, most=20.0))
        _keep(self, "g2", real_number("g2", self.g2, least=0.0, most=1e6))


def check_basis_probabilities(
    key_probability: float, test_probability: float, *, error: type[QkdpostError] = InputError
) -> tuple[float, float]:
    """Return the probabilities of key and test basis as Python floats.

    Raises:
        InputError: (or `error`) one is not between 0 and 1, or they add up to more than 1.
    """
    key = real_number("key_probability", key_probability, above=0.0, below=1.0, error=error)
    test = real_number("test_probability", test_probability, above=0.0, below=1.0, error=error)
    if key + test > 1.0 + 1e-12:
        raise error(f"key_probability and test_probability must not add up to more than 1; found {key} + {test}")
    return key, test


def check_intensities(
    intensities: object, probabilities: object, *, error: type[QkdpostError] = InputError
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return a set of intensities and the probabilities with which they are chosen, as tuples of Python floats.

    Raises:
        InputError: (or `error`) too few or many, not strictly decreasing, negative, closer to zero than
            `MIN_INTENSITY`, or probabilities that do not add up to one.
    """
    means, shares = check_intensity_ranges(numbers("intensities", intensities, error=error), probabilities, error=error)
    return fixed_intensities(means, "this", error=error), shares


def check_intensity_ranges(
    intensities: object, probabilities: object, *, error: type[QkdpostError] = InputError
) -> tuple[tuple[Intensity, ...], tuple[float, ...]]:
    """Return a set of intensities, some of which may be intervals, and the probabilities with which they are chosen.

    Raises:
        InputError: (or `error`) as `check_intensities`; or intervals that overlap.
    """
    means = intensities_of("intensities", intensities, error=error)
    shares = numbers("probabilities", probabilities, error=error)
    if not 2 <= len(means) <= MAX_INTENSITIES or len(shares) != len(means):
        raise error(
            f"2 ... {MAX_INTENSITIES} intensities with one probability each are allowed; "
            f"found {len(means)} and {len(shares)}"
        )
    ends = [ends_of_intensity(mean) for mean in means]
    ordered = all(high[0] > low[1] for high, low in itertools.pairwise(ends))
    if not ordered or not ends[-1][0] >= 0.0 or not ends[0][1] <= MAX_INTENSITY:
        raise error(f"intensities must be strictly decreasing from 20 to 0, and not overlap; found {means}")
    if any(0.0 < end < MIN_INTENSITY for pair in ends for end in pair):
        raise error(f"an intensity must be 0 or at least {MIN_INTENSITY:g}; found {means}. Give 0 for no light")
    if not all(0.0 < share < 1.0 for share in shares):
        raise error(f"every probability must lie in 0 ... 1; found {shares}")
    if abs(math.fsum(shares) - 1.0) > 1e-9:
        raise error(f"the probabilities must add up to one; found {math.fsum(shares)}")
    return means, shares


def intensities_of(name: str, values: object, *, error: type[QkdpostError] = InputError) -> tuple[Intensity, ...]:
    """Return intensities as Python floats, or pairs of these with the lower end first; equal ends are one number.

    Raises:
        InputError: (or `error`) an entry is neither a number nor a pair of numbers in ascending order.
    """
    found: list[Intensity] = []
    for place, value in enumerate(listed(name, values, "numbers, or of pairs of numbers", error=error)):
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            found.append(real_number(f"{name}[{place}]", value, error=error))
            continue
        low, high = numbers(f"{name}[{place}]", value, count=2, each="end of an interval", error=error)
        if low > high:
            raise error(f"{name}[{place}] must be a number, or (least, largest); found {(low, high)}")
        found.append((low, high) if low < high else low)
    return tuple(found)


def ends_of_intensity(intensity: Intensity) -> tuple[float, float]:
    """Return the least and the largest that an intensity can be."""
    return intensity if isinstance(intensity, tuple) else (intensity, intensity)


def has_intervals(intensities: Sequence[Intensity]) -> bool:
    """Return whether any of the intensities is known to lie in an interval only."""
    return any(isinstance(intensity, tuple) for intensity in intensities)


def middles_of_intensities(intensities: Sequence[Intensity]) -> tuple[float, ...]:
    """Return the middle of each interval, and the numbers as they are: what a simulation takes."""
    return tuple(sum(ends_of_intensity(intensity)) / 2.0 for intensity in intensities)


def fixed_intensities(
    intensities: Sequence[Intensity], what: str, *, error: type[QkdpostError] = InputError
) -> tuple[float, ...]:
    """Return intensities none of which is an interval.

    Raises:
        InputError: (or `error`) one is; `what` says what takes none.
    """
    for place, intensity in enumerate(intensities):
        if isinstance(intensity, tuple):
            raise error(
                f"{what} takes intensities that are numbers; found the interval {intensity} in intensities[{place}]"
            )
    return tuple(end for end, _ in map(ends_of_intensity, intensities))


def _keep(tally: object, name: str, value: object) -> None:
    """Put the converted value in the place of what was given, in a frozen record."""
    object.__setattr__(tally, name, value)


def _check_errors(kind: str, errors: Sequence[int], counts: Sequence[int]) -> None:
    """Check that there are no more errors than rounds that could show one; `kind` is "key" or "test"."""
    for wrong, count in zip(errors, counts, strict=True):
        if wrong > count:
            raise InputError(
                f"{kind}_errors must not exceed the number of {kind} rounds that they were counted in; found "
                f"{wrong} > {count}"
            )
