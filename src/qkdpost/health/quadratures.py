"""What is counted of a record of continuous variables, and what no modulator or detector in order would have written.

Nothing in it is public: extremes and sums are of symbols or outcomes that become key.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.quadratures.scans import find_again, scan_values
from qkdpost.health.limits import RecordLimits

__all__ = ["QuadratureHealth", "quadrature_faults"]

PIECES = 8
MIN_PIECE = 2**12
PROBE = 96
"""So many values from the beginning of a record are looked for further on. No device writes one value more often than
every other time, so that they come again by chance with probability 2^-96 at any place."""
MAX_CLIPPED_SHARE = 1e-3
MIN_CLIPPED = 2000
"""So many equal values at the end of a range are no chance: where a law falls off, as a normal one of a deviation of
two steps does by 0.05 a step, the step behind would have some 100 of them and not none (e^-100)."""
MAX_DRIFT = {True: 0.05, False: 0.25}
"""By this part the variance of a piece may differ from that of the whole, prepared or detected: a channel fades."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuadratureHealth:
    """Sums over a record of continuous variables, or over all of a block. Secret.

    Args:
        values: how many rows.
        pieces: of each piece of a record, how many rows and, for each column, the sums of v and v v, and of the
            products with v one and two rows on; float64, shape (columns, 4).
        across: sum of the products of both columns.
        longest_run: of equal values in a column.
        period: after how many values a record begins anew; 0 if none does.
        at_an_end: for each record the most values that are equal to the least or the largest, and how many rows it has.
    """

    values: int
    pieces: tuple[tuple[int, NDArray[np.float64]], ...] = field(repr=False)
    across: float = field(repr=False)
    longest_run: int
    period: int
    at_an_end: tuple[tuple[int, int], ...] = field(repr=False)

    @classmethod
    def of(cls, values: NDArray[Any]) -> QuadratureHealth:
        """Count; values are float32 or int16, shape (n,) or (n, 2)."""
        table = values.reshape(len(values), 1 if values.ndim == 1 else values.shape[1])
        rows, columns = table.shape
        number = max(1, min(PIECES, rows // MIN_PIECE))
        pieces, ends = [], []
        across, longest = 0.0, 0
        for piece in np.array_split(table, number) if rows else ():
            sums, extremes = np.zeros((columns, 4)), np.zeros((columns, 2))
            counts = np.zeros((columns, 3), dtype=np.int64)
            across += scan_values(piece, sums, extremes, counts)
            pieces.append((len(piece), sums))
            ends.append((extremes, counts))
            longest = max(longest, int(counts[:, 2].max()))
        return cls(
            values=rows,
            pieces=tuple(pieces),
            across=across,
            longest_run=longest,
            period=find_again(table.reshape(table.size), PROBE) if table.size >= 2 * PROBE else 0,
            at_an_end=((_most_at_an_end(ends), rows),),
        )

    def __add__(self, other: QuadratureHealth) -> QuadratureHealth:
        return QuadratureHealth(
            values=self.values + other.values,
            pieces=self.pieces + other.pieces,
            across=self.across + other.across,
            longest_run=max(self.longest_run, other.longest_run),
            period=max(self.period, other.period),
            at_an_end=self.at_an_end + other.at_an_end,
        )


def quadrature_faults(health: QuadratureHealth, limits: RecordLimits, *, prepared: bool, bits: float) -> Iterator[str]:
    """Say what is wrong with records, severest first; each is less probable than 2^-bits for devices in order.

    Args:
        health: of all records of a block.
        limits: of the link: `max_ratio` limits the ratio of the variances of both quadratures, where they were
            detected, and the correlations are those between values one or two symbols apart, and of x and p where they
            were prepared.
        prepared: whether the values were prepared, or detected.
        bits: how improbable a finding must be.
    """
    if not health.values:
        return
    # One value is taken to occur every other time at most, and a run to begin at any place.
    if health.longest_run - 1 - math.log2(2 * health.values) > bits:
        yield f"one value came {health.longest_run:,} times in a row"
    elif health.period:
        yield f"the record begins anew after {health.period:,} values"
    for count, rows in health.at_an_end:
        if count > max(MIN_CLIPPED, MAX_CLIPPED_SHARE * rows):
            yield f"{count:,} of {rows:,} values are at the end of their range: they were clipped"
    if health.values > MIN_PIECE:
        yield from _changes(health, prepared, bits)
        yield from _differences(health, limits, prepared, bits)
        yield from _correlations(health, limits, prepared, bits)


def _changes(health: QuadratureHealth, prepared: bool, bits: float) -> Iterator[str]:
    whole = _variances(health)
    for place, (rows, sums) in enumerate(health.pieces):
        if rows < MIN_PIECE:
            continue
        own = _centred(sums, rows)
        for column in np.flatnonzero(whole > 0.0).tolist():
            ratio = float(own[column] / whole[column])
            if abs(ratio - 1.0) > MAX_DRIFT[prepared] + _relative_error(rows, bits):
                yield (
                    f"the variance of {_name(health, column)} changes: in piece {place} of {len(health.pieces)} (from "
                    f"0) it is {ratio:.3g} of that of the whole"
                )
                return


def _differences(health: QuadratureHealth, limits: RecordLimits, prepared: bool, bits: float) -> Iterator[str]:
    variances = _variances(health)
    if prepared or variances.size == 1 or limits.max_ratio is None:
        return
    low, high = float(variances.min()), float(variances.max())
    if high > low * limits.max_ratio * (1.0 + 2.0 * _relative_error(health.values, bits)):
        ratio = f"1:{high / low:.2f}" if low > 0.0 else "without limit"
        yield f"the variances of both quadratures differ, {ratio}"


def _correlations(health: QuadratureHealth, limits: RecordLimits, prepared: bool, bits: float) -> Iterator[str]:
    tolerated = limits.prepared_correlation if prepared else limits.detected_correlation
    variances = _variances(health)
    if tolerated is None or float(variances.min()) <= 0.0:
        return
    whole = np.sum([sums for _, sums in health.pieces], axis=0)
    means = whole[:, 0] / health.values
    beyond = tolerated + _normal(bits) / math.sqrt(health.values)
    for column in range(len(variances)):
        for lag in (1, 2):
            found = float((whole[column, 1 + lag] / health.values - means[column] ** 2) / variances[column])
            if abs(found) > beyond:
                yield f"{_name(health, column)} is correlated by {found:+.3f} with that {lag} further on"
                return
    if prepared and len(variances) == 2:
        product = health.across / health.values - float(means[0] * means[1])
        found = product / math.sqrt(float(variances[0] * variances[1]))
        if abs(found) > beyond:
            yield f"x and p are correlated by {found:+.3f}"


def _variances(health: QuadratureHealth) -> NDArray[np.float64]:
    return _centred(np.sum([sums for _, sums in health.pieces], axis=0), health.values)


def _centred(sums: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    means = sums[:, 0] / rows
    centred: NDArray[np.float64] = np.maximum(0.0, sums[:, 1] / rows - means * means)
    return centred


def _relative_error(rows: int, bits: float) -> float:
    """Return what a sample variance of a normal law is off by at most, but with probability 2^-bits on either side.

    Laurent and Massart, Ann. Stat. 28, 1302 (2000), lemma 1, for half as many independent values.
    """
    root = math.sqrt(bits * math.log(2.0) / (rows / 2.0))
    return 2.0 * root + 2.0 * root * root


def _normal(bits: float) -> float:
    """Return how many standard errors a normal estimate is off at most, but with probability 2^-bits."""
    return math.sqrt(2.0 * math.log(2.0) * (bits + 1.0))


def _name(health: QuadratureHealth, column: int) -> str:
    return "xp"[column] if len(health.pieces[0][1]) == 2 else "the measured quadrature"


def _most_at_an_end(ends: list[tuple[NDArray[np.float64], NDArray[np.int64]]]) -> int:
    """Return the most values of a column that are equal to its least or largest one."""
    if not ends:
        return 0
    extremes, counts = np.stack([found for found, _ in ends]), np.stack([found for _, found in ends])
    low, high = extremes[:, :, 0].min(axis=0), extremes[:, :, 1].max(axis=0)
    lows = np.where(extremes[:, :, 0] == low, counts[:, :, 0], 0).sum(axis=0)
    highs = np.where(extremes[:, :, 1] == high, counts[:, :, 1], 0).sum(axis=0)
    return int(max(lows.max(), highs.max()))
