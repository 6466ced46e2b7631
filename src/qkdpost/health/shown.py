"""What a report may show of a host's own record: counts of everything but what may become key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qkdpost.bits import Bits
from qkdpost.health.limits import RecordLimits
from qkdpost.health.sequences import MAX_LAG, SequenceHealth
from qkdpost.health.summary import RecordHealth

__all__ = ["OwnRecord", "show"]

Outcomes = tuple[int, int, int, int]
_DIGITS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecord:
    """What a host counted in its own records of a block; nothing in it reveals key.

    Args:
        prepared: whether the bits were prepared; else they were detected.
        outcomes: how many there were of value 0 and 1 of the key basis, and of the test basis: the clicks of the
            detectors 0, 1, 2 and 3. In a block that goes on, bits that may become key are left out, and the rest of
            their basis is given to three digits.
        test_basis: how many pulses or detections were in the test basis.
        total: how many there were.
        intensities: of how many pulses each intensity was chosen, with decoy states; else empty.
        correlations: for each sequence that is public, the strongest correlation, its distance, and about how strong
            the strongest is by chance.
        not_tested: the limits that the link has switched off.
    """

    prepared: bool
    outcomes: Outcomes
    test_basis: int
    total: int
    intensities: tuple[int, ...]
    correlations: Mapping[str, tuple[float, int, float]]
    not_tested: tuple[str, ...]

    @property
    def ratios(self) -> tuple[float | None, float | None]:
        """How many times as often one value of each basis occurs as the other, at least 1; None where one does not."""
        return _ratio(*self.outcomes[:2]), _ratio(*self.outcomes[2:])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON knows."""
        return {
            "prepared": self.prepared,
            "outcomes": list(self.outcomes),
            "ratios": list(self.ratios),
            "test_basis": self.test_basis,
            "total": self.total,
            "intensities": list(self.intensities),
            "correlations": {name: list(found) for name, found in self.correlations.items()},
            "not_tested": list(self.not_tested),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return the same as names and texts for a table."""
        name = "own bits 0 / 1, key; 0 / 1, test" if self.prepared else "own clicks, detectors 0 / 1 / 2 / 3"
        counts = " / ".join(f"{count:,}" for count in self.outcomes)
        ratios = ", ".join("none" if ratio is None else f"1:{ratio:.2f}" for ratio in self.ratios)
        share = f"{self.test_basis / self.total:.3%}" if self.total else "none"
        rows = [
            (name, f"{counts} (ratios {ratios}), without those that may become key"),
            ("own rounds of the test basis", f"{share} of {self.total:,}"),
        ]
        if self.intensities:
            rows.append(("own pulses of each intensity", " / ".join(f"{count:,}" for count in self.intensities)))
        rows += [
            (f"correlation of {which}", f"{strongest:+.3f} at a distance of {distance} (chance makes {chance:.3f})")
            for which, (strongest, distance, chance) in self.correlations.items()
        ]
        if self.not_tested:
            rows.append(("own record NOT held against", ", ".join(self.not_tested)))
        return rows


def show(
    whole: RecordHealth, limits: RecordLimits, *, secret: tuple[Bits, Bits] | None, intensities: int = 0
) -> OwnRecord:
    """Return what may be shown of the counts of a block's records.

    Args:
        whole: the counts.
        limits: those of the link.
        secret: the bits of the key and of the test basis that may become key; None if none will, for the block ends
            and its records are dropped.
        intensities: how many the link has.
    """
    outcomes = whole.outcomes
    public = set(whole.sequences)
    if secret is not None:
        parts = [_left_over(outcomes[2 * basis : 2 * basis + 2], secret[basis]) for basis in (0, 1)]
        outcomes = (*parts[0], *parts[1])
        public = {name for name in public if "bases" in name or "intensities" in name}
        if not len(secret[1]):
            public |= {"outcomes of the test basis"} & set(whole.sequences)
    correlations = {name: _strongest(sequence) for name, sequence in whole.sequences.items() if name in public}
    return OwnRecord(
        prepared=whole.prepared,
        outcomes=outcomes,
        test_basis=whole.in_test_basis,
        total=whole.total,
        intensities=whole.intensities[:intensities],
        correlations={name: found for name, found in correlations.items() if found is not None},
        not_tested=limits.off,
    )


def _left_over(counts: tuple[int, ...], secret: Bits) -> tuple[int, int]:
    """Return the counts of one basis without the bits that may become key.

    Clicks and sifted bits do not go by one another to the last one, for double clicks get random bits: hence no more
    than three digits.
    """
    ones = secret.weight()
    zeros, others = counts[0] - (len(secret) - ones), counts[1] - ones
    return (zeros, others) if not len(secret) else (_to_digits(zeros), _to_digits(others))


def _to_digits(count: int) -> int:
    digits = str(max(0, count))
    return int(digits[:_DIGITS].ljust(len(digits), "0"))


def _ratio(first: int, second: int) -> float | None:
    return max(first, second) / min(first, second) if min(first, second) else None


def _strongest(sequence: SequenceHealth) -> tuple[float, int, float] | None:
    share = sequence.ones / sequence.length if sequence.length else 0.0
    spread = 2.0 * share * (1.0 - share)
    if not sequence.pairs or not spread:
        return None
    counts: list[int] = sequence.disagreements.tolist()
    # The fewest and the most that differ make the strongest of either sign; of two as strong, the shortest distance.
    found = ((1.0 - count / sequence.pairs / spread, counts.index(count)) for count in (min(counts), max(counts)))
    correlation, place = max(found, key=lambda pair: (abs(pair[0]), -pair[1]))
    return correlation, place + 1, math.sqrt(2.0 * math.log(2.0 * MAX_LAG) / sequence.pairs)
