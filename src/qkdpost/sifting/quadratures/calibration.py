"""Moments of calibration records, part by part; also of records that come in pieces and are never held whole.

A record is divided into at most 16 parts of equal length, and a rest. How long they are shows only when it has ended:
they begin short, and whenever there are 16, neighbours are joined.
"""

from __future__ import annotations

import secrets
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.checks import choice, real_array, real_number
from qkdpost.errors import InputError
from qkdpost.records import CalibrationSummary
from qkdpost.records.bases import Detection
from qkdpost.records.calibration_summary import MAX_PARTS
from qkdpost.records.quadrature_checks import lattice_step
from qkdpost.sifting.quadratures.dither import RandomSource, dithered
from qkdpost.sifting.quadratures.moments import MomentSums
from qkdpost.statistics.gaussian.moments import LAGS, CalibrationMoments, QuadratureMoments

__all__ = ["CalibrationSums", "calibration_moments", "calibration_parts"]

SHORTEST_PART = 2**13
_CHUNK = 2**20
_SAMPLE = 2**13


class CalibrationSums:
    """Sums over a calibration record that comes in pieces; its outcomes are dithered, summed up and forgotten.

    A calibration should be as long as the block, or several times so: given as sums it takes no memory. The dither
    is that of `qkdpost.sifting.quadratures.dithered`, a normal variate of one step for every outcome: without it,
    dither of the outcomes of symbols would count as the eavesdropper's noise.

    >>> rng = np.random.default_rng(1)
    >>> sums = CalibrationSums("heterodyne")
    >>> for _ in range(10):
    ...     sums.add(rng.normal(0.0, 20.0, (10_000, 2)))
    >>> summary = sums.result()
    >>> summary.whole.counts, len(summary.parts)
    ((100000, 100000), 13)

    It goes where the array would: `QuadratureOutcomes(values=..., electronic_shot=summary, efficiency=...)`.
    """

    def __init__(
        self,
        detection: Detection,
        *,
        adc_step: float | None = None,
        random_source: RandomSource = secrets.token_bytes,
    ) -> None:
        """Begin.

        Args:
            detection: whether both quadratures were measured at once, or one.
            adc_step: as in `QuadratureOutcomes`; the record that the sums are given to must have the same.
            random_source: returns the number of truly random bytes asked for, for the dither.

        Raises:
            InputError: another detection, or a step that is none.
        """
        self._both = choice("detection", detection, get_args(Detection)) == "heterodyne"
        self._step = None if adc_step is None else real_number("adc_step", adc_step, above=0.0, most=1e30)
        self._parts = _PartSums(self._both, self._step, random_source)
        self._sample: list[NDArray[Any]] = []
        self._sampled_part = 0
        self._refused = ""

    def add(self, outcomes: Any) -> None:
        """Add outcomes that follow on those before; an array of the form of `electronic_shot`, of any length.

        Raises:
            InputError: another shape or dtype, NaN or infinity, or outcomes on a lattice that no dither, or too little
                of it, covers, after which there is no result.
        """
        self._check()
        kept = real_array("outcomes", outcomes, columns=2 if self._both else None, integers=True)
        if kept.dtype == np.int16 and self._step is None:
            raise InputError("outcomes are integers: adc_step must say how far apart neighbouring values are, as 1")
        while len(kept):
            piece, kept = kept[: self._parts.room], kept[self._parts.room :]
            self._sample.append(piece[: max(0, _SAMPLE - sum(map(len, self._sample)))].copy())
            if self._parts.add(piece):
                self._check_lattice()

    def result(self) -> CalibrationSummary:
        """Return the sums so far.

        Raises:
            InputError: fewer than 100 outcomes, or what `add` refused.
        """
        self._check()
        self._check_lattice()
        found = self._parts.parts()
        if not found:
            raise InputError("a calibration must have at least 100 outcomes; found none")
        return CalibrationSummary(
            detection="heterodyne" if self._both else "homodyne", parts=found, adc_step=self._step
        )

    def _check(self) -> None:
        if self._refused:
            raise InputError(self._refused)

    def _check_lattice(self) -> None:
        """Look at the outcomes that the part in work began with, before dither."""
        sample, self._sample = self._sample, []
        step = lattice_step(np.concatenate(sample)) if sample else None
        if step is not None and step > (self._step or 0.0) * 1.01:
            self._refused = (
                f"outcomes lie on a lattice of step {step:.6g}; adc_step must be that, found {self._step}: outcomes of "
                "symbols are dithered by as much, and their calibration must be"
            )
        self._check()


class _PartSums:
    """Sums over a record, part by part."""

    def __init__(self, both: bool, adc_step: float | None, random_source: RandomSource) -> None:
        self._both, self._step, self._random_source = both, adc_step, random_source
        self._sums = MomentSums("heterodyne" if both else "homodyne")
        self._parts: list[CalibrationMoments] = []
        self._length, self._open = SHORTEST_PART, 0

    @property
    def room(self) -> int:
        """How many outcomes may be added at once: no more than the part in work has room for."""
        return min(_CHUNK, self._length - self._open)

    def add(self, piece: NDArray[Any]) -> bool:
        """Add up to `room` outcomes; tell whether the part is complete."""
        values = dithered(piece, self._step, self._random_source)
        values.flags.writeable = False  # as all arrays are that come here: kernels are compiled for one kind
        self._sums.add_outcomes(values, None if self._both else Bits.zeros(len(values)))
        self._open += len(values)
        if self._open < self._length:
            return False
        self._parts.append(_of_calibration(self._sums.take(), self._both))
        self._open = 0
        if len(self._parts) == MAX_PARTS:
            self._parts = [one + other for one, other in zip(self._parts[::2], self._parts[1::2], strict=True)]
            self._length *= 2
        return True

    def parts(self) -> tuple[CalibrationMoments, ...]:
        """Return the sums so far."""
        rest = (_of_calibration(self._sums.result(), self._both),) if self._open else ()
        return (*self._parts, *rest)


def calibration_parts(
    record: Any, adc_step: float | None, random_source: RandomSource = secrets.token_bytes
) -> tuple[CalibrationMoments, ...]:
    """Return the moments of successive parts of a calibration record, dithered as the outcomes are.

    Args:
        record: `electronic_shot` or `electronic` of `QuadratureOutcomes`: an array of shape (n, 2), or (n,) of a
            detector that measures one quadrature, or sums that have their dither already. Where there is one
            quadrature, the sums of the one record stand for both, which the same detector measures in the same way,
            and the sum across them is 0.
        adc_step: that of the record.
        random_source: for the dither.

    Raises:
        InputError: another shape or dtype.
    """
    if isinstance(record, CalibrationSummary):
        return record.parts
    both = getattr(record, "ndim", 1) == 2
    kept = real_array("record", record, columns=2 if both else None, integers=True)
    sums = _PartSums(both, adc_step, random_source)
    begin = 0
    while begin < len(kept):
        piece = kept[begin : begin + sums.room]
        sums.add(piece)
        begin += len(piece)
    return sums.parts()


def calibration_moments(
    record: Any, adc_step: float | None, random_source: RandomSource = secrets.token_bytes
) -> CalibrationMoments:
    """Return the moments of a whole calibration record; arguments as for `calibration_parts`.

    Raises:
        InputError: another shape or dtype, or no outcome.
    """
    parts = calibration_parts(record, adc_step, random_source)
    if not parts:
        raise InputError("a calibration record must have outcomes; found none")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _of_calibration(found: QuadratureMoments, both: bool) -> CalibrationMoments:
    x, p = (0, 1) if both else (0, 0)
    return CalibrationMoments(
        counts=(found.counts[x], found.counts[p]),
        measured=(found.measured[x], found.measured[p]),
        measured_squares=(found.measured_squares[x], found.measured_squares[p], found.measured_squares[2]),
        lagged=tuple(found.lagged[4 * lag + place] for lag in range(LAGS) for place in (x, p)),
    )
