"""What the stages for continuous outcomes hand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from qkdpost.bits import Bits
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.reconciliation.slices.plan import SlicePlan
from qkdpost.security.gaussian.slices.bound import SlicedTally
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.sifting.quadratures.correlation import Correlation
from qkdpost.single_use import SingleUse
from qkdpost.stages.continuous.stream import SymbolStream
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening

__all__ = ["FramesPlan", "MeasuredKey", "OpenFrames", "ReverseKey", "Setting"]


FramesPlan: TypeAlias = FramePlan | SlicePlan
"""How the frames of a block become bits of key, by the one method or the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How frames are corrected, as both hosts know it. All public.

    Args:
        plan: the codes and the length of frames.
        gain: of the whitened outcomes, in the unit of the symbols.
        noise_variance: of the whitened outcomes around that.
        whitening: fixed before a frame is disclosed.
        frames: how many frames there are.
    """

    plan: FramesPlan
    gain: float
    noise_variance: float
    whitening: Whitening
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFrames(SingleUse):
    """The outcome of disclosure: what is still secret, and how it will be corrected.

    Args:
        setting: how.
        values: the symbols of the corrector or the raw outcomes of the reference, those disclosed left out. Secret.
        choices: which quadrature was measured for each of them, in order; None where both were. Public.
        adc_step: the step of the lattice that raw outcomes lie on, which dither covers; None at the corrector too.
        calibration: the reference's, of shot and electronic noise and of electronic noise alone; None at the corrector.
    """

    setting: Setting
    values: SymbolStream = field(repr=False)
    choices: SymbolStream | None
    adc_step: float | None
    calibration: tuple[CalibrationMoments, CalibrationMoments | None] | None

    def choices_of_next(self, count: int) -> Bits | None:
        """Return which quadrature was measured in each of the next `count` symbols; None where both were."""
        return None if self.choices is None else Bits.from_array(self.choices.take(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseKey(SingleUse):
    """The outcome of correction.

    Args:
        key: of all frames that are kept. Secret.
        setting: how they were corrected.
        moments: over all symbols of all frames, at the corrector; at the reference over its outcomes alone, which the
            corrector's are held against.
        calibration: as in `OpenFrames`.
        correlations: of this host's outcomes, or of those that it rebuilt, where they lie far apart. Never announced.
    """

    key: Bits = field(repr=False)
    setting: Setting
    moments: QuadratureMoments
    calibration: tuple[CalibrationMoments, CalibrationMoments | None] | None
    correlations: tuple[Correlation, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredKey(SingleUse):
    """The outcome of estimation: the key, and what the bound counts."""

    key: Bits = field(repr=False)
    tally: GaussianTally | SlicedTally
