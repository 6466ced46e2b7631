"""A link of Gaussian-modulated coherent states to be planned: what its block is expected to count, and to give.

Units are those of shot noise, as in `simulation.gaussian_cv`, whose devices these are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any, ClassVar, Literal, Self, get_args

from qkdpost.checks import choice, instance, keep, real_number, whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning.planned_link import FIBRE, PlannedLink
from qkdpost.planning.virtual_channel import virtual_channel_capacity
from qkdpost.progress import Progress
from qkdpost.protocols.gaussian_cv import GaussianCV
from qkdpost.reconciliation.raptor.plan import MAX_EXTENSION_ROWS, MIN_EXTENSION_ROWS, FramePlan, plan_frames
from qkdpost.reconciliation.settings import CorrectionSettings, Multidimensional, Slices
from qkdpost.reconciliation.slices.plan import MAX_LEVELS, SlicePlan, plan_slices
from qkdpost.records import CoherentStates, QuadratureOutcomes
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.gaussian.secret_length import apply_bound
from qkdpost.security.gaussian.settings import Attacks, Detection, GaussianBoundSettings, Receiver
from qkdpost.security.gaussian.slices.bound import SlicedTally
from qkdpost.security.gaussian.slices.bound import apply_bound as apply_bound_of_slices
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.result import SecretLength
from qkdpost.simulation.devices import Fibre, with_length
from qkdpost.simulation.draws import RandomDraws
from qkdpost.simulation.gaussian_cv import simulate_gaussian_cv
from qkdpost.statistics.gaussian.moments import LAGS, CalibrationMoments, QuadratureMoments, Whitening
from qkdpost.statistics.gaussian.wrapped import cell_entropy

__all__ = ["GaussianLink"]

Correction = Literal["multidimensional", "slices"]

MAX_SYMBOLS = 2**40
"""Symbols of a block, whose sums are of no more."""
_FRAME_REALS = 2**19
"""About as many outcomes are in a frame, where no plan of a code says how many."""
_SLICED_REALS = 2**18
_ATTEMPTS = 8
_STATISTICS_BITS = 64 * (25 + 10 + 10 + 6)
"""Sums that the hosts announce of a block, 64 bits each, and counts."""
_MOST_VARIANCE = 1e3
_VARIANCES = (1.0, 2.5, 6.0, 15.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianLink(PlannedLink):
    """Gaussian-modulated coherent states, corrected from Bob to Alice.

    Args:
        modulation_variance: V_A, of x and of p; the optimiser turns it.
        excess_noise: xi of the channel, at its input.
        phase_variance: of the residual phase of the local oscillator, in rad^2; what it adds to the excess noise grows
            with the modulation variance.
        fibre: the channel.
        fibre_km: a length for the fibre, in the place of its own; `fibre.length_km` reads it.
        efficiency: of the receiver.
        electronic_noise: of each of its detectors.
        detection: "heterodyne" or "homodyne".
        receiver: "trusted" or "untrusted".
        attacks: that the length shall hold against, as in the settings of the kind.
        modulation_tolerance: of V_A, as a part of it; the bound takes the upper end.
        efficiency_tolerance: likewise of the efficiency.
        correction: "multidimensional", or "slices" for short links, in frames of 2^18 outcomes.
        dimension: of the rotations: 2, 4 or 8; 1 too for homodyne detection.
        reconciliation_efficiency: None: the code that a session would choose, its syndrome and no more. Else what part
            of the capacity of the channel that rotations make, or of the mutual information where outcomes are sliced,
            is expected to be left, within the rates of the codes. For planning only: a bound takes what was disclosed.
        calibration_symbols: of either calibration record; None for as many as the block has.
        disclosed_symbols: of a block, to set up correction.
        pulse_rate_hz: symbols per second.

    Raises:
        InputError: a value out of range.

    >>> import qkdpost as qp
    >>> link = qp.planning.GaussianLink(fibre_km=10, modulation_variance=5.0)
    >>> round(link.signal_to_noise_ratio, 2)
    0.86
    """

    modulation_variance: float = 4.0
    excess_noise: float = 0.01
    phase_variance: float = 0.0
    fibre: Fibre = FIBRE
    fibre_km: InitVar[float | None] = None
    efficiency: float = 0.6
    electronic_noise: float = 0.1
    detection: Detection = "heterodyne"
    receiver: Receiver = "trusted"
    attacks: Attacks = "gaussian-collective"
    modulation_tolerance: float = 0.0
    efficiency_tolerance: float = 0.0
    correction: Correction = "multidimensional"
    dimension: Literal[1, 2, 4, 8] = 8
    reconciliation_efficiency: float | None = None
    calibration_symbols: int | None = None
    disclosed_symbols: int = 2**17
    pulse_rate_hz: float = 1e8

    max_pulses: ClassVar[int] = MAX_SYMBOLS

    def __post_init__(self, fibre_km: float | None) -> None:
        keep(self, "fibre", with_length(instance("fibre", self.fibre, Fibre), fibre_km))
        for name, above, most in (
            ("modulation_variance", 0.0, _MOST_VARIANCE),
            ("efficiency", 0.0, 1.0),
            ("pulse_rate_hz", 0.0, 1e18),
        ):
            keep(self, name, real_number(name, getattr(self, name), above=above, most=most))
        if self.reconciliation_efficiency is not None:
            share = real_number("reconciliation_efficiency", self.reconciliation_efficiency, above=0.0, most=1.0)
            keep(self, "reconciliation_efficiency", share)
        for name, most in (("excess_noise", 1e3), ("phase_variance", 1.0), ("electronic_noise", 1e3)):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, most=most))
        for name in ("modulation_tolerance", "efficiency_tolerance"):
            keep(self, name, real_number(name, getattr(self, name), least=0.0, most=0.5))
        for name, offered in (
            ("detection", Detection),
            ("receiver", Receiver),
            ("attacks", Attacks),
            ("correction", Correction),
        ):
            keep(self, name, choice(name, getattr(self, name), get_args(offered)))
        self._check_counts()

    def _check_counts(self) -> None:
        dimension = whole_number("dimension", self.dimension, least=1, most=8)
        if dimension not in (1, 2, 4, 8) or (dimension == 1 and self.detection == "heterodyne"):
            raise InputError(f"dimension must be 2, 4 or 8, or 1 for homodyne detection; found {dimension}")
        keep(self, "dimension", dimension)
        if self.calibration_symbols is not None:
            keep(self, "calibration_symbols", whole_number("calibration_symbols", self.calibration_symbols, least=100))
        keep(self, "disclosed_symbols", whole_number("disclosed_symbols", self.disclosed_symbols))

    @property
    def gain(self) -> float:
        """T of y = t x + z, with what phase noise takes of it."""
        seen = self.efficiency * self.fibre.transmittance * math.exp(-self.phase_variance)
        return math.sqrt(seen / 2.0 if self.detection == "heterodyne" else seen)

    @property
    def noise_variance(self) -> float:
        """The variance of z, with what phase noise adds: V_A (e^V - 1) to the excess noise, which counts e^V times."""
        made = self.modulation_variance * math.expm1(self.phase_variance)
        noise = self.excess_noise * math.exp(self.phase_variance) + made
        return 1.0 + self.electronic_noise + self.gain**2 * noise

    @property
    def signal_to_noise_ratio(self) -> float:
        """Of a real outcome."""
        return self.gain**2 * self.modulation_variance / self.noise_variance

    @property
    def code_rate(self) -> float:
        """The part of the outcomes' bits that correction is expected to leave; 0 where no code has so low a rate.

        Where outcomes are sliced, bits of each that it is expected to leave.
        """
        if self.correction == "slices":
            return max(0.0, self._label_entropy() - self._disclosed_by_slices())
        if self.reconciliation_efficiency is None:
            plan = self._frames()
            return 0.0 if plan is None else _rate(plan)
        rate = self.reconciliation_efficiency * virtual_channel_capacity(self.signal_to_noise_ratio, self.dimension)
        lowest, highest = _rate(FramePlan(MAX_EXTENSION_ROWS)), _rate(FramePlan(MIN_EXTENSION_ROWS))
        return 0.0 if rate < lowest else min(rate, highest)

    def _frames(self) -> FramePlan | None:
        try:
            return plan_frames(self.signal_to_noise_ratio)
        except InputError:
            return None  # no code has so low a rate

    def _cells(self) -> SlicePlan | None:
        try:
            return plan_slices(outcome_variance=1.0, noise_variance=1.0 / (1.0 + self.signal_to_noise_ratio))
        except InputError:
            return None  # outcomes spread over too many cells

    def _label_entropy(self) -> float:
        """Return the entropy of the label of an outcome, given its place; in bits."""
        plan = self._cells()
        return 0.0 if plan is None else cell_entropy(1.0, plan.width, plan.labels)

    def _disclosed_by_slices(self) -> float:
        """Return the bits of each outcome that slices are expected to disclose."""
        plan = self._cells()
        if plan is None:
            return float(MAX_LEVELS)
        if self.reconciliation_efficiency is None:
            return sum(plan.codes.syndrome_bits) / plan.frame_reals
        information = 0.5 * math.log2(1.0 + self.signal_to_noise_ratio)
        return max(0.0, self._label_entropy() - self.reconciliation_efficiency * information)

    def _rotated(self) -> int:
        """Return how many outcomes correction takes for one: whole symbols, where none are rotated."""
        if self.correction == "slices":
            return 2 if self.detection == "heterodyne" else 1
        return self.dimension

    def expected_tally(self, pulses: int) -> GaussianTally:
        """Return the expected sums over a block of `pulses` symbols, less those that are disclosed.

        Raises:
            InputError: more than 2^40 symbols.
        """
        whole_number("pulses", pulses, most=MAX_SYMBOLS)
        symbols = max(0, pulses - self.disclosed_symbols)
        heterodyne = self.detection == "heterodyne"
        each = symbols if heterodyne else symbols // 2
        outcome = self.gain**2 * self.modulation_variance + self.noise_variance
        sent, product = (
            each * self.modulation_variance,
            each * self.gain * self.modulation_variance / math.sqrt(outcome),
        )
        noise = pulses if self.calibration_symbols is None else self.calibration_symbols
        reals = 2 * each
        return GaussianTally(
            detection=self.detection,
            moments=QuadratureMoments(
                counts=(each, each),
                sent=(0.0, 0.0),
                measured=(0.0, 0.0),
                sent_squares=(sent, sent, 0.0),
                measured_squares=(float(each), float(each), 0.0),
                products=(product, product, 0.0, 0.0),
                fourth_powers=(3.0 * each, 3.0 * each),
                lagged=(0.0,) * (4 * LAGS),
            ),
            whitening=Whitening(
                centre=(0.0, 0.0), matrix=(1.0 / math.sqrt(outcome), 0.0, 0.0, 1.0 / math.sqrt(outcome))
            ),
            shot_electronic=self._calibration(noise, 1.0 + self.electronic_noise),
            electronic=self._calibration(noise, self.electronic_noise),
            key_reals=reals - reals % self._rotated(),
            dimension=self._rotated(),
        )

    def _calibration(self, symbols: int, variance: float) -> CalibrationMoments:
        each = symbols if self.detection == "heterodyne" else symbols // 2
        squares = (each * variance, each * variance, 0.0)
        return CalibrationMoments(
            counts=(each, each), measured=(0.0, 0.0), measured_squares=squares, lagged=(0.0,) * (2 * LAGS)
        )

    def expected_disclosure(self, key_reals: int, epsilon: Epsilon) -> Disclosed:
        """Return what correction, verification and statistics of so many outcomes are expected to disclose."""
        sliced, plan = self.correction == "slices", self._frames()
        told = self._disclosed_by_slices() if sliced else 1.0 - self.code_rate
        length = _SLICED_REALS if sliced else _FRAME_REALS if plan is None else plan.frame_bits
        frames = max(1, -(-key_reals // length))
        tag = math.ceil(math.log2(frames * _ATTEMPTS / epsilon.correctness))
        verification = frames * (tag + 1)
        correction = math.ceil(key_reals * told) + _ATTEMPTS * frames + _STATISTICS_BITS
        return Disclosed(leakage_bits=correction + verification, verification_bits=verification, two_way=False)

    def secret_length(self, pulses: int, efficiency: float | None, epsilon: Epsilon, **options: Any) -> SecretLength:
        """Return the secret length of the expected tally of `pulses` symbols.

        Raises:
            InputError: `efficiency` is given: that of corrected qubits means something else.
            ConfigurationError: options, of which this bound has none.
        """
        if efficiency is not None:
            raise InputError("a GaussianLink has a reconciliation_efficiency of its own; leave efficiency out")
        if options:
            raise ConfigurationError(f"the bound of a GaussianLink takes no options; found {sorted(options)}")
        tally = self.expected_tally(pulses)
        settings = GaussianBoundSettings(
            modulation_variance=self.modulation_variance,
            modulation_tolerance=self.modulation_tolerance,
            efficiency=self.efficiency,
            efficiency_tolerance=self.efficiency_tolerance,
            detection=self.detection,
            receiver=self.receiver,
            attacks=self.attacks,
        )
        disclosed = self.expected_disclosure(tally.key_reals, epsilon)
        if self.correction == "slices":
            plan = self._cells()
            width, levels = (1.0, MAX_LEVELS) if plan is None else (plan.width, plan.levels)
            sliced = SlicedTally(sums=tally, width=width, levels=levels)
            return apply_bound_of_slices(sliced, disclosed, epsilon, settings)
        return apply_bound(tally, disclosed, epsilon, settings)

    def starting_points(self) -> Iterator[Self]:
        """Yield a coarse grid of choices to start a search from."""
        yield from (replace(self, modulation_variance=variance) for variance in _VARIANCES)

    def free_parameters(self) -> list[float]:
        """Return the logarithm of the modulation variance."""
        return [math.log(self.modulation_variance)]

    def with_free_parameters(self, values: Sequence[float]) -> Self:
        """Return the same link with another choice."""
        return replace(self, modulation_variance=math.exp(max(-7.0, min(5.0, values[0]))))

    def protocol_settings(self) -> GaussianCV:
        """Return the settings of QKD with Gaussian modulation, as far as the two hosts share them."""
        return GaussianCV(
            modulation_variance=self.modulation_variance,
            efficiency=self.efficiency,
            detection=self.detection,
            receiver=self.receiver,
            attacks=self.attacks,
            modulation_tolerance=self.modulation_tolerance,
            efficiency_tolerance=self.efficiency_tolerance,
            disclosed_symbols=self.disclosed_symbols,
        )

    def default_correction(self) -> CorrectionSettings:
        """Return the method and the dimension that the link names."""
        return Slices() if self.correction == "slices" else Multidimensional(dimension=self.dimension)

    def expected_detections(self, pulses: float) -> float:
        """Return the number of symbols, all of which are measured."""
        return pulses

    def simulate(
        self, *, pulses: float, rng: RandomDraws, progress: bool | Progress = False
    ) -> tuple[CoherentStates, QuadratureOutcomes]:
        """Draw what both sides record of `pulses` symbols, by the same devices and choices.

        Args:
            pulses: how many; a whole float is allowed.
            rng: a generator of numpy, or a seed for one.
            progress: True to draw how far it has got, or a function that is told, as `Progress`.

        Raises:
            InputError: a number out of range.
        """
        return simulate_gaussian_cv(
            symbols=pulses,
            rng=rng,
            modulation_variance=self.modulation_variance,
            fibre=self.fibre,
            excess_noise=self.excess_noise,
            efficiency=self.efficiency,
            electronic_noise=self.electronic_noise,
            detection=self.detection,
            phase_variance=self.phase_variance,
            calibration_symbols=self.calibration_symbols,
            progress=progress,
        )


def _rate(plan: FramePlan) -> float:
    return 1.0 - plan.syndrome_bits / plan.frame_bits
