"""What a bound for decoy states needs to know of a block: counts per intensity, all of them public; and intensities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from qkdpost.checks import listed, numbers, real_number, whole_numbers
from qkdpost.count_tables import CountSource, counts_of_intensities, read_table
from qkdpost.errors import InputError, QkdpostError
from qkdpost.security.counts import check_errors, observed_rate

__all__ = [
    "DecoyTally",
    "Intensity",
    "check_intensities",
    "check_intensity_ranges",
    "ends_of_intensity",
    "fixed_intensities",
    "has_intervals",
    "intensities_of",
    "middles_of_intensities",
]

Intensity: TypeAlias = float | tuple[float, float]
"""A mean photon number, or the two ends of an interval in which it is known to lie."""

MAX_INTENSITIES = 8
MAX_INTENSITY = 20.0
MIN_INTENSITY = 1e-12
"""An intensity is 0 or at least this: products of smaller ones would underflow, and no laser is that faint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyTally:
    """Counts of a decoy-state block, per intensity, in the order of `intensities`.

    All intensities make key; the labels that say which pulse had which are announced after detection.

    Args:
        intensities: mean photon numbers, strictly decreasing, the last may be zero; two of them are one decoy,
            three are two decoys. Each is a number, or a pair of the least and the largest that it may have been: every
            pulse may then have had its own between the two, whatever made it so but its basis and bit and the choices
            for other pulses. Intervals must not overlap. (Wrong numbers give too long a key: at 10^11
            pulses over 20 dB, 4 to 10 % with a signal that is 10 % weaker than stated, 7 to 15 % with a decoy that is
            10 % stronger, 17 to 25 % with both. `security.intensity_sensitivity` computes it for a block.)
        probabilities: with which each is chosen; they add up to one.
        key_counts: detections with both sides in the key basis.
        test_counts: detections with both sides in the test basis, all compared in public.
        test_errors: how many of these differed.
        key_errors: how many key bits differed, known after correction; needed with one decoy, where they bound
            the detections without a photon, and of no use with more.

    >>> import qkdpost as qp
    >>> tally = qp.DecoyTally(
    ...     intensities=(0.5, 0.1, 0.0), probabilities=(0.7, 0.2, 0.1), key_counts=(28_000_000, 1_600_000, 10),
    ...     test_counts=(3_500_000, 200_000, 1), test_errors=(35_000, 2_000, 0),
    ... )
    >>> tally.key_bits
    29600010
    """

    intensities: tuple[Intensity, ...]
    probabilities: tuple[float, ...]
    key_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    test_errors: tuple[int, ...]
    key_errors: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        intensities, probabilities = check_intensity_ranges(self.intensities, self.probabilities)
        object.__setattr__(self, "intensities", intensities)
        object.__setattr__(self, "probabilities", probabilities)
        for name in ("key_counts", "test_counts", "test_errors", "key_errors"):
            counts = getattr(self, name)
            if name != "key_errors" or counts is not None:
                object.__setattr__(self, name, whole_numbers(name, counts, count=len(intensities), each="intensity"))
        check_errors("test", self.test_errors, self.test_counts)
        if self.key_errors is not None:
            check_errors("key", self.key_errors, self.key_counts)

    @classmethod
    def from_counts(
        cls,
        source: CountSource,
        *,
        intensities: Mapping[Any, Intensity] | None = None,
        probabilities: Mapping[Any, float] | Sequence[float] | None = None,
        key_basis: str | int | None = None,
    ) -> DecoyTally:
        """Read the counts of a block from a file of CSV, or from the columns of a data frame.

        One row for each intensity and basis, in any order, with the columns `intensity`, `basis` ("key" or "test"),
        `detected` and `errors`, and `sent` and `probability` if there are; or one row for each intensity, with
        `intensity`, `key_detected`, `test_detected`, `test_errors`, and `key_errors`, `sent` and `probability` if there
        are. *Detected* are rounds with both sides in that basis. Spaces and capitals of names do not matter, lines
        that begin with # and other columns are left alone.

        Args:
            source: the path, or the columns by name.
            intensities: what the table calls each intensity, by mean number of photons, as {"signal": 0.5, ...}, which
                may be a pair of the least and the largest. None where the table has the numbers.
            probabilities: with which each intensity is chosen, by name or the strongest first; None where the table has
                them. They are not taken from what was sent, but compared with it.
            key_basis: what the table calls the key basis, as "Z"; the other one is the test basis.

        Raises:
            InputError: another table; the message names line and column.
            OSError: the file is not there (`FileNotFoundError`), or cannot be read.

        >>> table = {"intensity": [0.5, 0.1, 0.0], "probability": [0.7, 0.2, 0.1], "key_detected": [9000, 500, 3],
        ...          "test_detected": [1000, 60, 2], "test_errors": [11, 1, 1]}
        >>> DecoyTally.from_counts(table).test_bits
        1062
        """
        return cls(**counts_of_intensities(read_table(source), intensities, probabilities, key_basis))

    @property
    def key_bits(self) -> int:
        """Sifted bits that may become key."""
        return sum(self.key_counts)

    @property
    def test_bits(self) -> int:
        """Rounds of the test basis."""
        return sum(self.test_counts)

    @property
    def error_rate(self) -> float:
        """The observed error rate of the key, where it is known, else that of the test rounds; of all intensities.

        Raises:
            InputError: none were compared.
        """
        if self.key_errors is not None and self.key_bits:
            return observed_rate("key", self.key_errors, self.key_counts)
        return observed_rate("test", self.test_errors, self.test_counts)


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
