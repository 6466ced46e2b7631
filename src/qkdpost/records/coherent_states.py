"""The record of a side that prepares Gaussian-modulated coherent states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.checks import real_array, real_number
from qkdpost.display import html_table
from qkdpost.errors import InputError
from qkdpost.records.quadrature_checks import distance_from_normal, same_content, variance_range, variances

__all__ = ["CoherentStates"]

MAX_MODULATION_VARIANCE = 1e6
_UNITS = (
    "In shot-noise units the vacuum has variance 1 in each quadrature: a state |alpha> is (2 Re alpha, 2 Im alpha), "
    "and the modulation variance is twice the mean number of photons"
)
_TOLERATED_DISTANCE = 0.03
"""Of distribution functions; 256 levels over +-4 deviations is 0.006 off, a binomial grid of 8 0.13."""
_OTHER_UNITS = 0.25
"""Units of other conventions are off by a factor of 2 in variance; a modulator is not off by this part of it."""


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class CoherentStates:
    """What the sending side of a link with continuous variables did, symbol by symbol.

    Args:
        symbols: displacements (x, p) of every symbol in shot-noise units, in order, with pilots and synchronisation
            removed; float32, shape (n, 2). Kept without a copy where they are that already. Secret.
        modulation_variance: the variance of x, and of p, that the modulator was calibrated to, in shot-noise units.

    Raises:
        InputError: another shape, NaN or infinity, or symbols whose variance is a quarter off the stated one or more,
            beyond what statistics allow: they are in other units.

    >>> generator = np.random.default_rng(1)
    >>> states = CoherentStates(symbols=generator.normal(0.0, 2.0, (1000, 2)), modulation_variance=4.0)
    >>> states
    CoherentStates(modulation_variance=4.0, symbols=1000)
    """

    symbols: NDArray[np.float32] = field(repr=False)
    modulation_variance: float

    def __init__(self, symbols: ArrayLike, modulation_variance: float) -> None:
        object.__setattr__(self, "symbols", real_array("symbols", symbols, columns=2))
        variance = real_number("modulation_variance", modulation_variance, above=0.0, most=MAX_MODULATION_VARIANCE)
        object.__setattr__(self, "modulation_variance", variance)
        self._check_variance(variance, _OTHER_UNITS, _UNITS)

    @property
    def events(self) -> int:
        """The number of symbols."""
        return len(self.symbols)

    def check_for(self, settings: object) -> None:
        """Check that modulator and symbols are those of the link.

        Args:
            settings: with `modulation_variance` and `modulation_tolerance`, relative.

        Raises:
            InputError: the record's modulation variance, or that of either quadrature of its symbols beyond what
                statistics allow, is off that of the link by more than the tolerance; or the symbols are not from a
                normal distribution, as those of phase-shift keying or of a coarse grid are not.
        """
        agreed: float | None = getattr(settings, "modulation_variance", None)
        if agreed is None:
            return
        tolerance: float = getattr(settings, "modulation_tolerance", 0.0)
        if abs(self.modulation_variance - agreed) > tolerance * agreed * (1.0 + 1e-9):
            raise InputError(
                f"the record has a modulation variance of {self.modulation_variance:g}; this link has {agreed:g}, with "
                f"a tolerance of {tolerance:.3g} of it"
            )
        self._check_variance(agreed, tolerance, "Calibrate the modulator, or state what it does")
        self._check_normal(agreed)

    def _check_variance(self, stated: float, tolerance: float, hint: str) -> None:
        found = variances(self.symbols)
        if found.count < 2:
            return
        for name, sample in zip("xp", found.values, strict=True):
            least, most = variance_range(sample, found.count)
            if most < stated * (1.0 - tolerance) or least > stated * (1.0 + tolerance):
                raise InputError(
                    f"the symbols have a variance of {sample:.5g} in {name}, and {stated:g} is stated, with a "
                    f"tolerance of {tolerance:.3g} of it. {hint}"
                )

    def _check_normal(self, variance: float) -> None:
        """The bound is for a normal modulation: with few states the same moments leave an eavesdropper more."""
        for name, values in zip("xp", self.symbols.T, strict=True):
            if not len(values):
                continue
            distance, chance = distance_from_normal(values, variance)
            if distance > _TOLERATED_DISTANCE + chance:
                raise InputError(
                    f"the symbols must be drawn from a normal distribution; in {name} their distribution function is "
                    f"{distance:.3f} off, and {_TOLERATED_DISTANCE} is tolerated beside chance. There is no bound here "
                    "for constellations; qkdpost.planning.asymptotic_discrete_rate plans them"
                )

    def __repr__(self) -> str:
        return f"CoherentStates(modulation_variance={self.modulation_variance}, symbols={self.events})"

    def _repr_html_(self) -> str:
        found = ", ".join(f"{value:.5g}" for value in variances(self.symbols).values)
        rows = [
            ("symbols", f"{self.events:,}"),
            ("modulation variance, stated", f"{self.modulation_variance:g} shot-noise units"),
            ("of the symbols, in x and p", found),
        ]
        return html_table("CoherentStates", rows)

    def __copy__(self) -> CoherentStates:
        """Return another record of the same array, which nobody can write to; `__reduce__` would copy it."""
        other = object.__new__(CoherentStates)
        for item in fields(self):
            object.__setattr__(other, item.name, getattr(self, item.name))
        return other

    def __reduce__(self) -> tuple[Callable[..., CoherentStates], tuple[Any, ...]]:
        """Pickle what it is made of: what is unpickled is checked, and its array is read-only again."""
        return _coherent_states, (self.symbols, self.modulation_variance)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CoherentStates):
            return NotImplemented
        return self.modulation_variance == other.modulation_variance and same_content(self.symbols, other.symbols)

    __hash__ = None  # type: ignore[assignment]


def _coherent_states(symbols: ArrayLike, modulation_variance: float) -> CoherentStates:
    return CoherentStates(symbols=symbols, modulation_variance=modulation_variance)
