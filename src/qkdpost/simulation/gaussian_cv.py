"""A link of Gaussian-modulated coherent states and a coherent receiver, heterodyne or homodyne.

Units are those of shot noise: vacuum has variance 1 in each quadrature, a coherent state alpha has x = 2 Re alpha and
p = 2 Im alpha. In each measured quadrature the outcome is

    y = t x + z,    homodyne    t^2 = eta T,      Var z = 1 + v + eta T xi,
                    heterodyne  t^2 = eta T / 2,  Var z = 1 + v + eta T xi / 2,

times the counts of one standard deviation of shot noise. Symbols are drawn and stored a piece at a time, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from qkdpost.bits import Bits
from qkdpost.checks import choice, flag, instance, real_number, whole_number, whole_real
from qkdpost.errors import InputError
from qkdpost.progress import Progress, telling
from qkdpost.records import CalibrationSummary, CoherentStates, QuadratureOutcomes
from qkdpost.records.bases import Detection
from qkdpost.sifting.quadratures.calibration import CalibrationSums
from qkdpost.simulation.devices import Fibre, with_length
from qkdpost.simulation.draws import RandomDraws, generator, uniform_bits
from qkdpost.simulation.gaussian_devices import CoherentImperfections, check_excess_noise

__all__ = ["simulate_gaussian_cv", "simulate_gaussian_cv_records"]

Reals = NDArray[np.float32]

IDEAL = CoherentImperfections()
MAX_SYMBOLS = 2**32
_PIECE_SYMBOLS = 2**19
"""Symbols drawn at once; what a piece needs, some tens of megabytes, is small against what is returned."""


def simulate_gaussian_cv(
    *,
    symbols: float,
    rng: RandomDraws,
    modulation_variance: float = 4.0,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    transmittance: float | None = None,
    excess_noise: float | tuple[float, float] = 0.01,
    efficiency: float = 0.6,
    electronic_noise: float = 0.1,
    detection: Detection = "heterodyne",
    phase_variance: float = 0.0,
    counts_per_shot_noise: float = 100.0,
    calibration_symbols: int | None = None,
    keep_calibration: bool = True,
    imperfections: CoherentImperfections = IDEAL,
    progress: bool | Progress = False,
) -> tuple[CoherentStates, QuadratureOutcomes]:
    """Draw what both sides of a link of Gaussian-modulated coherent states record.

    Nothing in Bob's record tells transmittance or excess noise, nothing in Alice's tells outcomes. An eavesdropper who
    makes the channel's loss and excess noise by an entangling cloner of that reflection holds all of their
    purification: what a bound concedes her at these parameters is what she has.

    Time is two or three seconds for 10^7 symbols and as many of calibration; memory is what is returned, 8 bytes a
    heterodyne symbol for each of the four arrays (4 of Bob's with homodyne detection, half of that as int16).

    Args:
        symbols: how many are sent; a whole float is allowed.
        rng: a generator of numpy, or a seed for one; gives all draws.
        modulation_variance: V_A, of Alice's x and of her p: twice the mean number of photons.
        fibre_km: the length of the fibre; `transmittance` overrides it.
        fibre: the channel; by default 0.2 dB/km, and no length.
        transmittance: T of the channel, the receiver's efficiency not in it.
        excess_noise: xi at the channel's input, in the unit of V_A; or of x and p, which may be negative in one of
            them as squeezed light makes it, see `gaussian_devices.check_excess_noise`.
        efficiency: eta of the receiver, optics and detectors; Bob's record states it.
        electronic_noise: v of each detector.
        detection: "heterodyne" (both quadratures of every symbol) or "homodyne" (one, chosen at random).
        phase_variance: of the residual phase of the local oscillator, in rad^2. It takes exp(-phase_variance) of the
            transmittance seen, and adds about V_A phase_variance to the excess noise.
        counts_per_shot_noise: the standard deviation of shot noise alone, without electronic noise, in counts.
        calibration_symbols: of each calibration record, electronic noise alone and with shot noise; None for as many
            as symbols, for shorter ones cost key.
        keep_calibration: whether Bob's record holds the outcomes of calibration, or sums over them, which need no
            memory however many they are.
        imperfections: what else deviates from the model.
        progress: True to draw how far it has got, or a function that is told, as `Progress`.

    Returns:
        Alice's record and Bob's.

    Raises:
        InputError: a parameter is out of range.

    Example:
        >>> import qkdpost as qp
        >>> alice, bob = qp.simulation.gaussian_cv(symbols=1000, fibre_km=25, rng=1)
        >>> alice.symbols.shape, bob.values.shape
        ((1000, 2), (1000, 2))
    """
    return next(
        simulate_gaussian_cv_records(
            1, symbols=symbols, rng=rng, modulation_variance=modulation_variance, fibre_km=fibre_km, fibre=fibre,
            transmittance=transmittance, excess_noise=excess_noise, efficiency=efficiency,
            electronic_noise=electronic_noise, detection=detection, phase_variance=phase_variance,
            counts_per_shot_noise=counts_per_shot_noise, calibration_symbols=calibration_symbols,
            keep_calibration=keep_calibration, imperfections=imperfections, progress=progress,
        )
    )  # fmt: skip


def simulate_gaussian_cv_records(
    records: int,
    *,
    symbols: float,
    rng: RandomDraws,
    modulation_variance: float = 4.0,
    fibre_km: float | None = None,
    fibre: Fibre | None = None,
    transmittance: float | None = None,
    excess_noise: float | tuple[float, float] = 0.01,
    efficiency: float = 0.6,
    electronic_noise: float = 0.1,
    detection: Detection = "heterodyne",
    phase_variance: float = 0.0,
    counts_per_shot_noise: float = 100.0,
    calibration_symbols: int | None = None,
    keep_calibration: bool = True,
    imperfections: CoherentImperfections = IDEAL,
    progress: bool | Progress = False,
) -> Iterator[tuple[CoherentStates, QuadratureOutcomes]]:
    """Yield the records of a run of several, one pair at a time, so that memory holds one pair.

    Phases and the receiver's memory go on from record to record, a drift of the transmittance runs from the first
    symbol of the first to the last of the last, and each record has calibration records of its own.

    Args:
        records: how many pairs.
        symbols: in each record; this and all that follow are as in `simulate_gaussian_cv`.
        rng: see there.
        modulation_variance: see there.
        fibre_km: see there.
        fibre: see there.
        transmittance: see there.
        excess_noise: see there.
        efficiency: see there.
        electronic_noise: see there.
        detection: see there.
        phase_variance: see there.
        counts_per_shot_noise: see there.
        calibration_symbols: see there.
        keep_calibration: see there.
        imperfections: see there.
        progress: see there; of all records together.

    Raises:
        InputError: as there; at the call, before the first record is drawn.

    Example:
        >>> import qkdpost as qp
        >>> run = qp.simulation.gaussian_cv_records(3, symbols=1000, fibre_km=25, rng=1)
        >>> [bob.events for alice, bob in run]
        [1000, 1000, 1000]
    """
    line = _Line.checked(
        modulation_variance, fibre, fibre_km, transmittance, excess_noise, efficiency, electronic_noise, detection,
        phase_variance, counts_per_shot_noise, keep_calibration, imperfections,
    )  # fmt: skip
    number = whole_number("records", records, most=MAX_SYMBOLS)
    count = whole_real("symbols", symbols, most=MAX_SYMBOLS)
    noise = count if calibration_symbols is None else calibration_symbols
    noise = whole_number("calibration_symbols", noise, most=MAX_SYMBOLS)
    return line.records(generator(rng), count, noise, number, telling(progress))


@dataclass(frozen=True, slots=True)
class _Line:
    """All parameters of a link, checked."""

    modulation_variance: float
    transmittance: float
    excess_noise: tuple[float, float]
    efficiency: float
    electronic_noise: float
    detection: Detection
    phase_variance: float
    counts: float
    keep_calibration: bool
    flaws: CoherentImperfections

    @classmethod
    def checked(
        cls, modulation_variance: object, fibre: Fibre | None, fibre_km: float | None, transmittance: object,
        excess_noise: object, efficiency: object, electronic_noise: object, detection: object,
        phase_variance: object, counts_per_shot_noise: object, keep_calibration: object, imperfections: object,
    ) -> _Line:  # fmt: skip
        channel = Fibre() if fibre is None else instance("fibre", fibre, Fibre)
        passed = with_length(channel, fibre_km).transmittance
        if transmittance is not None:
            passed = real_number("transmittance", transmittance, least=0.0, most=1.0)
        flaws = instance("imperfections", imperfections, CoherentImperfections)
        largest = passed * (1.0 + abs(flaws.transmittance_drift) / 2.0)
        if largest > 1.0:
            raise InputError(f"transmittance must stay at most 1; with its drift it reaches {largest:.4g}")
        return cls(
            real_number("modulation_variance", modulation_variance, above=0.0, most=1e4),
            passed,
            check_excess_noise(excess_noise, passed),
            real_number("efficiency", efficiency, above=0.0, most=1.0),
            real_number("electronic_noise", electronic_noise, least=0.0, most=1e4),
            choice("detection", detection, get_args(Detection)),
            real_number("phase_variance", phase_variance, least=0.0, most=math.pi**2),
            real_number("counts_per_shot_noise", counts_per_shot_noise, above=0.0, most=1e6),
            flag("keep_calibration", keep_calibration),
            flaws,
        )

    def records(
        self,
        rng: np.random.Generator,
        symbols: int,
        calibration: int,
        records: int,
        progress: AbstractContextManager[Progress],
    ) -> Iterator[tuple[CoherentStates, QuadratureOutcomes]]:
        """Yield `records` pairs of records of `symbols` symbols each."""
        phases, receiver = _Phases(self, rng), _Receiver(self, rng)
        with progress as tell:
            for number in range(records):
                sent = np.empty((symbols, 2), dtype=np.float32)
                quadratures = None if self.heterodyne else uniform_bits(rng, symbols)
                values = receiver.new(symbols)
                for piece in _pieces(symbols):
                    first = number * symbols + piece.start
                    sent[piece] = self._sent(rng, piece.stop - piece.start)
                    share = self._share(first, piece.stop - piece.start, records * symbols)
                    field = phases.turned(sent[piece]) * share
                    values[piece] = receiver.output(self._measured(rng, field, quadratures, piece))
                    tell("symbols are drawn", number * symbols + piece.stop, records * symbols)
                yield (
                    CoherentStates(symbols=sent, modulation_variance=self.modulation_variance),
                    QuadratureOutcomes(
                        values=values,
                        quadratures=quadratures,
                        electronic_shot=receiver.calibration(calibration, 1.0 + self.electronic_noise),
                        electronic=receiver.calibration(calibration, self.electronic_noise),
                        efficiency=self.efficiency,
                        adc_step=self.adc_step,
                    ),
                )

    @property
    def adc_step(self) -> float | None:
        return None if self.flaws.adc_bits is None else 1.0

    @property
    def heterodyne(self) -> bool:
        return self.detection == "heterodyne"

    @property
    def seen(self) -> float:
        """t^2 over T: the share of the arriving light that either quadrature sees."""
        return self.efficiency / (2.0 if self.heterodyne else 1.0)

    def _sent(self, rng: np.random.Generator, count: int) -> Reals:
        sent = rng.standard_normal((count, 2), dtype=np.float32)
        sent *= np.float32(math.sqrt(self.modulation_variance))
        return sent

    def _share(self, first: int, count: int, total: int) -> Any:
        """Return t for each of `count` symbols from the `first` on, or one for all."""
        drift = self.flaws.transmittance_drift
        mean = self.seen * self.transmittance
        if not drift:
            return np.float32(math.sqrt(mean))
        places = (np.arange(first, first + count) + 0.5) / max(total, 1) - 0.5
        return np.sqrt(mean * (1.0 + drift * places)).astype(np.float32)[:, None]

    def _measured(self, rng: np.random.Generator, field: Reals, quadratures: Bits | None, piece: slice) -> Reals:
        """Return outcomes in units of shot noise, one or two a symbol."""
        spread = [1.0 + self.electronic_noise + self.seen * self.transmittance * noise for noise in self.excess_noise]
        spreads = np.sqrt(np.array(spread)).astype(np.float32)
        if quadratures is None:
            noise = rng.standard_normal(field.shape, dtype=np.float32)
            noise *= spreads
            noise += field
            return noise
        chosen = np.asarray(quadratures[piece.start : piece.stop])
        outcomes = rng.standard_normal(chosen.size, dtype=np.float32)
        outcomes *= spreads[chosen]
        outcomes += np.where(chosen, field[:, 1], field[:, 0])
        return outcomes


class _Phases:
    """The residual phase of the local oscillator, from symbol to symbol."""

    def __init__(self, line: _Line, rng: np.random.Generator) -> None:
        self._spread = math.sqrt(line.phase_variance)
        self._kept = line.flaws.phase_correlation
        self._rotation = line.flaws.rotation_rad
        self._rng = rng
        self._state = self._kept * rng.standard_normal() if self._kept else 0.0

    def turned(self, symbols: Reals) -> Reals:
        """Return the symbols, turned by the phase of each."""
        if not self._spread and not self._rotation:
            return symbols
        angles = self._rotation + self._spread * self._drawn(len(symbols))
        cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        turned = np.empty_like(symbols)
        turned[:, 0] = cosine * symbols[:, 0] - sine * symbols[:, 1]
        turned[:, 1] = sine * symbols[:, 0] + cosine * symbols[:, 1]
        return turned

    def _drawn(self, count: int) -> NDArray[np.float64]:
        """Return normal numbers of variance 1, each correlated with the one before."""
        fresh = self._rng.standard_normal(count)
        if not self._kept or not count:
            return fresh
        kept = self._kept
        drawn, state = signal.lfilter([math.sqrt(1.0 - kept * kept)], [1.0, -kept], fresh, zi=[self._state])
        self._state = float(state[0])
        return np.asarray(drawn, dtype=np.float64)


class _Receiver:
    """Gain, offset, memory and converter, the same for outcomes and calibration records."""

    def __init__(self, line: _Line, rng: np.random.Generator) -> None:
        self._line, self._rng = line, rng
        self._columns = (2,) if line.heterodyne else ()
        self._before = np.zeros((1, *self._columns), dtype=np.float32)
        # Homodyne detection has one chain of electronics: that of x.
        gains, offsets = np.array(line.flaws.gains), np.array(line.flaws.offset)
        self._gain = (line.counts * (gains if line.heterodyne else gains[0])).astype(np.float32)
        self._offset = (line.counts * (offsets if line.heterodyne else offsets[0])).astype(np.float32)

    def new(self, count: int) -> NDArray[Any]:
        """Return an array for `count` outcomes."""
        flaws = self._line.flaws
        kind = np.int16 if flaws.adc_bits is not None and flaws.integers else np.float32
        return np.empty((count, *self._columns), dtype=kind)

    def output(self, measured: Reals) -> Reals:
        """Return what is recorded of a piece of outcomes in units of shot noise, in counts."""
        flaws = self._line.flaws
        if flaws.intersymbol and len(measured):
            before = np.concatenate([self._before, measured[:-1]])
            self._before = measured[-1:].copy()
            measured = before * np.float32(flaws.intersymbol) + measured
        counts = measured * self._gain
        counts += self._offset
        if flaws.adc_bits is not None:
            half = 2 ** (flaws.adc_bits - 1)
            np.rint(counts, out=counts)
            np.clip(counts, -half, half - 1, out=counts)
        return counts

    def calibration(self, count: int, variance: float) -> NDArray[Any] | CalibrationSummary:
        """Return a record of noise alone, or sums over it."""
        spread = np.float32(self._line.flaws.calibration_gain * math.sqrt(variance))
        before, self._before = self._before, np.zeros_like(self._before)
        pieces = (
            self.output(
                self._rng.standard_normal((piece.stop - piece.start, *self._columns), dtype=np.float32) * spread
            )
            for piece in _pieces(count)
        )
        record = self._kept(count, pieces) if self._line.keep_calibration else self._summed(pieces)
        self._before = before
        return record

    def _kept(self, count: int, pieces: Iterator[Reals]) -> NDArray[Any]:
        record, begin = self.new(count), 0
        for piece in pieces:
            record[begin : begin + len(piece)] = piece
            begin += len(piece)
        return record

    def _summed(self, pieces: Iterator[Reals]) -> CalibrationSummary:
        sums = CalibrationSums(
            "heterodyne" if self._line.heterodyne else "homodyne",
            adc_step=self._line.adc_step,
            random_source=self._rng.bytes,
        )
        for piece in pieces:
            sums.add(piece)
        return sums.result()


def _pieces(count: int) -> Iterator[slice]:
    return (slice(start, min(count, start + _PIECE_SYMBOLS)) for start in range(0, count, _PIECE_SYMBOLS))
