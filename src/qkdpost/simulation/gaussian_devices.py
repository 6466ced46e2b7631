"""What may be imperfect in a link of Gaussian-modulated coherent states, each part with its units."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import flag, keep, numbers, real_number, whole_number
from qkdpost.errors import InputError

__all__ = ["CoherentImperfections", "check_excess_noise"]

MAX_ADC_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CoherentImperfections:
    """Deviations of channel and receiver from the model that a bound assumes; by default there are none.

    Args:
        phase_correlation: of the phase noise, from one symbol to the next: 0 is white.
        rotation_rad: a fixed angle by which the receiver's phase reference is wrong.
        imbalance: d of the receiver's gains, by which variances of x and p become 1 + d and 1 - d times those of the
            model, those of the calibration records too.
        offset: what is added to x and to p, in standard deviations of shot noise; to the calibration records too.
        intersymbol: c of a receiver with memory, whose output is y_k + c y_(k-1); in the calibration records too.
        transmittance_drift: by how much the transmittance grows from the first symbol to the last, as a part of it;
            the mean stays.
        calibration_gain: how much larger the calibration records are than they should be, as an amplitude: 1.01 is a
            local oscillator that was 2 % brighter while they were made.
        adc_bits: of the converter, whose step is one count and which clips at +-2^(bits - 1); None for none.
        integers: whether the outcomes are int16, where there is a converter; else whole numbers in float32.

    Raises:
        InputError: a number out of range.

    >>> import qkdpost as qp
    >>> flaws = qp.simulation.CoherentImperfections(adc_bits=8, offset=(0.1, 0.0))
    >>> alice, bob = qp.simulation.gaussian_cv(symbols=1000, rng=1, imperfections=flaws)
    >>> bob.values.dtype.name
    'int16'
    """

    phase_correlation: float = 0.0
    rotation_rad: float = 0.0
    imbalance: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)
    intersymbol: float = 0.0
    transmittance_drift: float = 0.0
    calibration_gain: float = 1.0
    adc_bits: int | None = None
    integers: bool = True

    def __post_init__(self) -> None:
        keep(self, "phase_correlation", real_number("phase_correlation", self.phase_correlation, least=0.0, below=1.0))
        keep(self, "rotation_rad", real_number("rotation_rad", self.rotation_rad, least=-math.pi, most=math.pi))
        for name in ("imbalance", "intersymbol"):
            keep(self, name, real_number(name, getattr(self, name), above=-1.0, below=1.0))
        keep(self, "offset", numbers("offset", self.offset, count=2, each="quadrature", least=-1e3, most=1e3))
        drift = real_number("transmittance_drift", self.transmittance_drift, above=-2.0, below=2.0)
        keep(self, "transmittance_drift", drift)
        gain = real_number("calibration_gain", self.calibration_gain, above=0.0, most=1e3)
        keep(self, "calibration_gain", gain)
        if self.adc_bits is not None:
            keep(self, "adc_bits", whole_number("adc_bits", self.adc_bits, least=2, most=MAX_ADC_BITS))
        keep(self, "integers", flag("integers", self.integers))

    @property
    def gains(self) -> tuple[float, float]:
        """The amplitude gains of x and p."""
        return math.sqrt(1.0 + self.imbalance), math.sqrt(1.0 - self.imbalance)


def check_excess_noise(excess_noise: object, transmittance: float) -> tuple[float, float]:
    """Return the excess noise of x and of p at the channel's input.

    An eavesdropper who mixes a mode of variances N_x, N_p into a channel of transmittance T < 1 makes the excess noise
    xi = (1 - T) (N - 1) / T of either quadrature, and N_x N_p >= 1 is all that nature asks of her: with squeezed light
    one of the two may be negative.

    Raises:
        InputError: neither a number nor two, or less noise than nature allows.
    """
    given = excess_noise if isinstance(excess_noise, tuple | list) else (excess_noise, excess_noise)
    noise_x, noise_p = numbers("excess_noise", given, count=2, each="quadrature", least=-1e6, most=1e6)
    if min(noise_x, noise_p) >= 0.0:
        return noise_x, noise_p
    lost = 1.0 - transmittance
    mode_x, mode_p = (1.0 + transmittance * noise / lost if lost else 0.0 for noise in (noise_x, noise_p))
    if not (min(mode_x, mode_p) > 0.0 and mode_x * mode_p >= 1.0):
        raise InputError(
            f"no light makes an excess noise of {noise_x} in x and {noise_p} in p at transmittance {transmittance}: "
            "the mode that is mixed in would have less noise than the uncertainty relation allows. Use more noise"
        )
    return noise_x, noise_p
