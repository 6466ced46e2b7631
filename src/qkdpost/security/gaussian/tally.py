"""What the bound for Gaussian modulation needs to know of a block; all of it public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from qkdpost.checks import choice, instance, whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation.multidimensional.dimensions import dimension_of
from qkdpost.security.gaussian.holevo import Detection
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening

__all__ = ["GaussianTally"]

LEAST_OUTCOMES = 100
"""Of either quadrature, in the block and in calibration records: with fewer there are no limits worth the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianTally:
    """Sums over a block and over the calibration that belongs to it.

    Args:
        detection: "heterodyne", both quadratures of every symbol, or "homodyne", one of each in turn, drawn at random.
        moments: over all symbols whose outcomes took part in correction, frames that were given up among them, of
            Alice's symbols in units of shot noise and Bob's *whitened* outcomes: those that were rotated.
        whitening: the map that made whitened outcomes of raw ones; it was fixed before any of these outcomes was seen.
        shot_electronic: over the calibration record with local oscillator and without signal, in raw units.
        electronic: over the one without local oscillator; None if there is none, and no electronic noise is credited.
        key_reals: m, how many real outcomes took part in correction: whole frames, and no more than `moments` counts.
        dimension: how many reals were rotated together: 1, 2, 4 or 8.

    Raises:
        InputError: a number that cannot be, or parts that contradict each other; all of them may come from a peer.

    >>> import qkdpost as qp
    >>> tally = qp.planning.GaussianLink(fibre_km=10).expected_tally(10**7)
    >>> tally.detection, tally.dimension
    ('heterodyne', 8)
    """

    detection: Detection
    moments: QuadratureMoments
    whitening: Whitening
    shot_electronic: CalibrationMoments
    electronic: CalibrationMoments | None
    key_reals: int
    dimension: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "detection", choice("detection", self.detection, get_args(Detection)))
        moments = instance("moments", self.moments, QuadratureMoments)
        instance("whitening", self.whitening, Whitening)
        instance("shot_electronic", self.shot_electronic, CalibrationMoments)
        if self.electronic is not None:
            instance("electronic", self.electronic, CalibrationMoments, hint="None says that there is no such record")
        dimension = dimension_of(self.dimension)
        object.__setattr__(self, "dimension", dimension)
        key_reals = whole_number("key_reals", self.key_reals)
        object.__setattr__(self, "key_reals", key_reals)
        if key_reals > sum(moments.counts):
            raise InputError(
                f"key_reals must not exceed the outcomes that the sums are of; found {key_reals} > "
                f"{sum(moments.counts)}. Outcomes of frames that were given up belong to both"
            )
        if key_reals % dimension:
            raise InputError(f"key_reals must be a multiple of the dimension, {dimension}; found {key_reals}")
        self._check_sums()

    def _check_sums(self) -> None:
        """Check what depends on the detection."""
        records = {"moments": self.moments.counts, "shot_electronic": self.shot_electronic.counts}
        if self.electronic is not None:
            records["electronic"] = self.electronic.counts
        for name, counts in records.items():
            if self.detection == "heterodyne" and counts[0] != counts[1]:
                raise InputError(
                    f"{name} of heterodyne detection must count as many outcomes of either quadrature; found {counts}"
                )
        if self.detection == "homodyne":
            across = (*self.moments.measured_squares[2:], *self.moments.products[2:], self.moments.sent_squares[2])
            if any(across) or any(self.whitening.matrix[1:3]):
                raise InputError(
                    "homodyne detection measures one quadrature at a time: sums across quadratures and the whitening "
                    "between them must be 0"
                )

    @property
    def outcomes_per_symbol(self) -> int:
        """q: 2 for heterodyne detection, 1 for homodyne."""
        return 2 if self.detection == "heterodyne" else 1

    @property
    def weight(self) -> float:
        """By what averages over both quadratures fall short at most, where one was measured more often.

        What holds on average over x and p, as the information of an eavesdropper and what directions tell, has parts
        c_x and c_p of which it is half the sum. Of n_x and n_p outcomes that make m reals they are n_x c_x + n_p c_p at
        most, and that is at most 2 max(n_x, n_p) (c_x + c_p) / 2: this is 2 max(n_x, n_p) / m. It is 1 for heterodyne
        detection.
        """
        if self.detection == "heterodyne" or not self.key_reals:
            return 1.0
        return max(1.0, min(2.0, 2.0 * max(self.moments.counts) / self.key_reals))

    @property
    def unit_reals(self) -> int:
        """How many reals are the independent unit of the proof: those rotated together, and whole symbols."""
        return max(self.dimension, self.outcomes_per_symbol)

    @property
    def too_few(self) -> str:
        """Say which record has too few outcomes for any limit; empty if none has."""
        for name, counts in (
            ("the block", self.moments.counts),
            ("the calibration with local oscillator", self.shot_electronic.counts),
            ("the calibration without", self.electronic.counts if self.electronic is not None else (2**40, 2**40)),
        ):
            if min(counts) < LEAST_OUTCOMES:
                return f"{name} has {min(counts)} outcomes of one quadrature, less than {LEAST_OUTCOMES}"
        return ""
