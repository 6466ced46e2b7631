"""Files of symbols, made into the records of either side, or refused with what to do."""

from __future__ import annotations

import math
from os import PathLike
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, real_number
from qkdpost.errors import InputError
from qkdpost.records import CoherentStates, QuadratureOutcomes
from qkdpost.records.bases import Detection
from qkdpost.sifting.symbol_files.arrays import ArrayFile, read_quadratures, read_reals

__all__ = ["load_coherent_states", "load_quadrature_outcomes"]

SymbolUnits = Literal["shot-noise", "vacuum-half", "amplitude", "digital"]

_FACTORS = {"shot-noise": 1.0, "vacuum-half": math.sqrt(2.0), "amplitude": 2.0}
"""What makes x = 2 Re alpha of the numbers of a file."""
_MOST_VARIANCE = 1e4
_TOLERANCE = 0.2
"""By how much variances may miss what is stated: the least mistake of units is a factor of two."""
_SCATTER = 10.0
_PIECE_SYMBOLS = 2**18


def load_coherent_states(
    path: str | PathLike[str],
    *,
    units: SymbolUnits,
    modulation_variance: float | None = None,
    mean_photons: float | None = None,
    array: str | None = None,
) -> CoherentStates:
    """Read the symbols that Alice sent.

    The same states are written in numbers that differ by factors of the root of two; which, a file does not say, and a
    wrong factor makes a wrong key length, so that it is an argument. The variance of the numbers is held against what
    is stated, to a fifth: that catches a wrong factor and no miscalibration.

    Args:
        path: a .npy or .npz file of complex symbols, shape (n,), or of real ones, shape (n, 2), x and p of each.
        units: "shot-noise": vacuum has variance 1, x = 2 Re alpha, a complex symbol is x + i p. "vacuum-half": vacuum
            has variance 1/2, x = sqrt(2) Re alpha, as where hbar is 1, and as QOSST's symbols after its conversion.
            "amplitude": alpha itself, whose mean square is the mean number of photons. "digital": as they went to a
            converter, in any unit, as QOSST's `symbols.npy`; they are scaled so that the mean square agrees with what
            is stated, which must then come from a calibrated monitor.
        modulation_variance: V_A of x and of p, in units of shot noise; or
        mean_photons: <n> of a symbol, half of that. One of the two, and not both.
        array: which array of a .npz file, if it has several.

    Returns:
        The record, with symbols in units of shot noise.

    Raises:
        InputError: the file holds something else, is damaged or holds a pickled object, or its variance is not that
            which is stated, in these units.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from qkdpost.sifting import load_coherent_states
        >>> path = pathlib.Path(tempfile.mkdtemp(), "symbols.npy")
        >>> rng = np.random.default_rng(1)
        >>> np.save(path, rng.normal(size=1000) + 1j * rng.normal(size=1000))
        >>> load_coherent_states(path, units="vacuum-half", mean_photons=1.0).modulation_variance
        2.0
    """
    kind = choice("units", units, get_args(SymbolUnits))
    variance = _modulation_variance(modulation_variance, mean_photons)
    symbols = read_reals("path", path if array is None else (path, array), columns=2)
    mean_square = _mean_square(symbols)
    if not math.isfinite(mean_square):
        return CoherentStates(symbols=symbols, modulation_variance=variance)  # which refuses it, and says where it is
    if mean_square == 0.0:
        raise InputError(f"{path} must hold symbols that are not all zero; found {len(symbols)}")
    if kind == "digital":
        factor = math.sqrt(variance / mean_square)
    else:
        factor = _FACTORS[kind]
        _check_variance(factor * factor * mean_square / variance, len(symbols), kind)
    if factor == 1.0 and symbols.dtype == np.float32:
        return CoherentStates(symbols=symbols, modulation_variance=variance)
    scaled = symbols.astype(np.float32, copy=False)
    scaled *= np.float32(factor)
    return CoherentStates(symbols=scaled, modulation_variance=variance)


def load_quadrature_outcomes(
    outcomes: ArrayFile,
    *,
    electronic_shot: ArrayFile,
    electronic: ArrayFile | None = None,
    efficiency: float,
    detection: Detection = "heterodyne",
    quadratures: ArrayFile | None = None,
    adc_step: float | None = None,
) -> QuadratureOutcomes:
    """Read what Bob measured, with its calibration records.

    All three are in the same unit, whichever, and have gone through the same processing: filters, shifts, scaling. What
    a unit of shot noise is, the calibration says. The record refuses outcomes with less variance than the calibration,
    as where one of them was divided by the root of two.

    Args:
        outcomes: a .npy or .npz file, or a pair of a .npz file and the name of an array in it: of heterodyne detection
            complex, shape (n,), or real, shape (n, 2); of homodyne detection real, shape (n,). int16 stays int16.
        electronic_shot: what was recorded with the local oscillator on and no signal; as many columns.
        electronic: what was recorded with the local oscillator off; None where no credit is taken for it.
        efficiency: of the receiver, without the channel.
        detection: "heterodyne" (also where one photodiode at an intermediate frequency sees both) or "homodyne".
        quadratures: of homodyne detection, a file of which was measured, 0 for x and 1 for p; shape (n,).
        adc_step: the step of outcomes that lie on a lattice, as 1.0 of integers; None where they do not.

    Returns:
        The record.

    Raises:
        InputError: a file holds something else, is damaged or holds a pickled object, or the outcomes have less
            variance than shot noise; or as `QuadratureOutcomes`.
        OSError: a file is not there (`FileNotFoundError`), or cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from qkdpost.sifting import load_quadrature_outcomes
        >>> path, rng = pathlib.Path(tempfile.mkdtemp(), "bob.npz"), np.random.default_rng(1)
        >>> np.savez(path, bob=rng.normal(size=(1000, 2), scale=1.2), vacuum=rng.normal(size=(500, 2)))
        >>> load_quadrature_outcomes((path, "bob"), electronic_shot=(path, "vacuum"), efficiency=0.6).events
        1000
    """
    heterodyne = choice("detection", detection, get_args(Detection)) == "heterodyne"
    if heterodyne != (quadratures is None):
        raise InputError(
            "homodyne detection has a file of which quadrature was measured, and heterodyne detection has none; found "
            f"detection {detection!r} and quadratures {'missing' if quadratures is None else 'given'}"
        )
    columns = 2 if heterodyne else 1
    return QuadratureOutcomes(
        values=read_reals("outcomes", outcomes, columns=columns),
        quadratures=None if quadratures is None else read_quadratures("quadratures", quadratures),
        electronic_shot=read_reals("electronic_shot", electronic_shot, columns=columns),
        electronic=None if electronic is None else read_reals("electronic", electronic, columns=columns),
        efficiency=efficiency,
        adc_step=adc_step,
    )


def _modulation_variance(modulation_variance: float | None, mean_photons: float | None) -> float:
    if (modulation_variance is None) == (mean_photons is None):
        raise InputError(
            "one of modulation_variance and mean_photons must be given, and not both; the variance is twice the number"
        )
    if modulation_variance is not None:
        return real_number("modulation_variance", modulation_variance, above=0.0, most=_MOST_VARIANCE)
    return 2.0 * real_number("mean_photons", mean_photons, above=0.0, most=_MOST_VARIANCE / 2.0)


def _mean_square(values: NDArray[Any]) -> float:
    """Return the mean of the squares, a piece at a time in float64."""
    total = 0.0
    for start in range(0, len(values), _PIECE_SYMBOLS):
        piece = values[start : start + _PIECE_SYMBOLS].astype(np.float64).reshape(-1)
        total += float(piece @ piece)
    return total / max(1, values.size)


def _check_variance(ratio: float, symbols: int, kind: str) -> None:
    """Refuse symbols whose variance, in the units that are stated, is not the one that is stated."""
    tolerance = _TOLERANCE + _SCATTER / math.sqrt(symbols)
    if abs(ratio - 1.0) <= tolerance:
        return
    fitting = [
        name for name, factor in _FACTORS.items() if abs(ratio * (factor / _FACTORS[kind]) ** 2 - 1.0) <= tolerance
    ]
    more = f". It would be right with units={fitting[0]!r}: which are they?" if fitting else ""
    raise InputError(
        f"with units={kind!r} the variance of the symbols is {ratio:.4g} times the modulation variance that is "
        f"stated{more}"
    )
