"""How the outcomes of a block are sliced: the cells, the noise, and how many bits a frame costs that is given up.

The reference makes a plan from symbols that were disclosed beforehand, before the block's own outcomes are looked at,
and says it to the corrector. Nothing in it decides about security but the cells, which the bound reads, and the
lengths, of which any that satisfy Kraft's inequality will do.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from qkdpost.checks import byte_string, instance, real_number, whole_number, whole_numbers
from qkdpost.errors import InputError
from qkdpost.reconciliation.slices.codes import CODED_LEVELS, LevelCodes, frame_lengths, level_codes

__all__ = ["LENGTH_UNITS", "MAX_LEVELS", "SlicePlan", "plan_slices"]

LENGTH_UNITS = 256
"""Parts of a bit in which lengths are counted."""
MAX_LEVELS = 6

_HEAD = struct.Struct("<IBQQ")
_GRID = 1 << 32
"""Width and deviation are multiples of 2^-32, so that both hosts hold the same."""
_MOST_UNITS = 4096.0
_REACH = 4.0
"""The labels' range holds so many standard deviations of the outcomes either way, or more."""
_KRAFT = 1.0 - 1e-9
_RAREST = 2.0**-48


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlan:
    """The slicing of a block; the same on both hosts.

    Args:
        frame_reals: outcomes of a frame, a length of `frame_lengths()`.
        levels: bits of a label, from `CODED_LEVELS` to `MAX_LEVELS`.
        width: of a cell, in the units of the outcomes; a multiple of 2^-32.
        deviation: of the noise in an outcome of which the corrector knows the symbol; a multiple of 2^-32. It scales
            the soft values, and has no part in security.
        lengths: what each label costs where a frame is given up, in `LENGTH_UNITS` of a bit, shape (2^levels,); their
            code exists: the sum of 2^-length does not exceed 1.

    Raises:
        InputError: a number lies outside its range, or the lengths are those of no prefix code.
    """

    frame_reals: int
    levels: int
    width: float
    deviation: float
    lengths: tuple[int, ...]

    def __post_init__(self) -> None:
        if whole_number("frame_reals", self.frame_reals) not in frame_lengths():
            raise InputError(
                f"frame_reals must be one of {', '.join(map(str, frame_lengths()))}; found {self.frame_reals}"
            )
        whole_number("levels", self.levels, least=CODED_LEVELS, most=MAX_LEVELS)
        for name in ("width", "deviation"):
            value = real_number(name, getattr(self, name), above=0.0, most=_MOST_UNITS)
            if value * _GRID != math.floor(value * _GRID):
                raise InputError(f"{name} must be a multiple of 2^-32; found {value!r}")
            object.__setattr__(self, name, value)
        if not 1.0 <= self.width / self.deviation <= 16.0:
            raise InputError(
                f"width must be 1 to 16 times the deviation of the noise; found {self.width:.6g} and "
                f"{self.deviation:.6g}"
            )
        lengths = whole_numbers("lengths", self.lengths, count=1 << self.levels, each="label", least=1)
        object.__setattr__(self, "lengths", lengths)
        if max(lengths) >= 1 << 16 or math.fsum(2.0 ** (-length / LENGTH_UNITS) for length in lengths) > 1.0:
            raise InputError("lengths must be below 2^16 and satisfy the inequality of Kraft; they do not")

    @property
    def codes(self) -> LevelCodes:
        """The codes of the coded levels."""
        return level_codes(self.frame_reals)

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return 1 << self.levels

    @property
    def frame_bits(self) -> int:
        """Bits of key that a frame holds: all bits of its labels."""
        return self.levels * self.frame_reals

    @property
    def rate(self) -> float:
        """Bits of a label, less what the syndromes tell of it."""
        return self.levels - sum(self.codes.syndrome_bits) / self.frame_reals

    def to_bytes(self) -> bytes:
        """Return the plan as the reference says it to the corrector."""
        head = _HEAD.pack(self.frame_reals, self.levels, round(self.width * _GRID), round(self.deviation * _GRID))
        return head + np.array(self.lengths, dtype="<u2").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> SlicePlan:
        """Read a plan of the peer's.

        Raises:
            InputError: it is not one.
        """
        raw = byte_string("data", data)
        if len(raw) < _HEAD.size:
            raise InputError(f"a plan of slices has {_HEAD.size} bytes and lengths; found {len(raw)} bytes")
        reals, levels, width, deviation = _HEAD.unpack_from(raw)
        whole_number("levels", levels, least=CODED_LEVELS, most=MAX_LEVELS)
        if len(raw) != _HEAD.size + 2 * (1 << levels):
            raise InputError(f"a plan of slices of {levels} levels has {2 << levels} bytes of lengths; it has not")
        lengths = np.frombuffer(raw, dtype="<u2", offset=_HEAD.size)
        return cls(
            frame_reals=reals,
            levels=levels,
            width=width / _GRID,
            deviation=deviation / _GRID,
            lengths=tuple(int(length) for length in lengths),
        )


def plan_slices(
    *, outcome_variance: float, noise_variance: float, frame_reals: int = 1 << 18, levels: int | None = None
) -> SlicePlan:
    """Make a plan for outcomes of which some were compared beforehand.

    >>> plan = plan_slices(outcome_variance=1.0, noise_variance=0.25)
    >>> plan.levels, round(plan.width, 3)
    (3, 1.365)

    Args:
        outcome_variance: of the outcomes, about.
        noise_variance: of an outcome about what its symbol lets expect.
        frame_reals: outcomes of a frame.
        levels: bits of a label; None for as many as the spread of the outcomes asks for.

    Raises:
        InputError: a number lies outside its range, or the outcomes spread over too many cells.
    """
    outcome_variance = real_number("outcome_variance", outcome_variance, above=0.0, most=1e6)
    noise_variance = real_number("noise_variance", noise_variance, above=0.0, most=outcome_variance)
    codes = level_codes(instance("frame_reals", frame_reals, int))
    spread, deviation = math.sqrt(outcome_variance), _on_grid(math.sqrt(noise_variance))
    width = _on_grid(codes.cell_deviations * deviation)
    if levels is None:
        levels = max(CODED_LEVELS, math.ceil(math.log2(2.0 * _REACH * spread / width)))
    if levels > MAX_LEVELS:
        raise InputError(
            f"outcomes may spread over 2^{MAX_LEVELS} cells; found a spread of {spread:.6g} and cells of {width:.6g}"
        )
    return SlicePlan(
        frame_reals=frame_reals,
        levels=levels,
        width=width,
        deviation=deviation,
        lengths=_lengths(spread, width, levels),
    )


def _on_grid(value: float) -> float:
    return max(1, round(value * _GRID)) / _GRID


def _lengths(spread: float, width: float, levels: int) -> tuple[int, ...]:
    """Return ideal lengths for labels of normal outcomes, rounded up until Kraft's inequality holds with room."""
    count = 1 << levels
    cells = range(-4 * count, 4 * count)
    probabilities = [_RAREST] * count
    for cell in cells:
        low, high = (abs(edge) * width / (spread * math.sqrt(2.0)) for edge in (cell, cell + 1))
        probabilities[cell % count] += abs(math.erfc(low) - math.erfc(high)) / 2.0
    whole = math.fsum(probabilities)
    lengths = [max(1, math.ceil(-LENGTH_UNITS * math.log2(probability / whole))) for probability in probabilities]
    while math.fsum(2.0 ** (-length / LENGTH_UNITS) for length in lengths) > _KRAFT:
        lengths = [length + 1 for length in lengths]
    return tuple(lengths)
