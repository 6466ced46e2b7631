"""How long the frames of a block are: the extension rows that its signal-to-noise ratio asks for."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from qkdpost.checks import byte_string, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation.raptor.code import RaptorCode, load_family

__all__ = ["MAX_EXTENSION_ROWS", "MIN_EXTENSION_ROWS", "FramePlan", "plan_frames"]

MIN_EXTENSION_ROWS = 60
"""Rate 0.286: above, slices of outcomes serve better."""
MAX_EXTENSION_ROWS = 3920
"""Rate 0.01."""

_PLAN_BYTES = 4
_LOWEST_SNR = 1e-3
_LARGEST_SNR = 1e3
_EFFICIENCY = ((0.0, 0.925), (0.022, 0.935), (0.055, 0.93), (0.11, 0.93), (0.22, 0.92), (0.4, 0.85), (1.0, 0.85))
"""Pairs of ln(1 + SNR) / (2 ln 2) and the efficiency at which one frame of five or fewer need an increment, straight
lines between: what the family decodes by `RAPTOR_DECODERS["layered"]`, less what rotations of 8 outcomes lose. A little
more would give a longer key, and take twice the time."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """The frames of a block, all of one length.

    Args:
        extension_rows: of the shipped family, from `MIN_EXTENSION_ROWS` to `MAX_EXTENSION_ROWS`.

    Raises:
        InputError: anything else.

    >>> plan = FramePlan(320)
    >>> plan.frame_bits, plan.core_bits, plan.syndrome_bits
    (204800, 40960, 184320)
    """

    extension_rows: int

    def __post_init__(self) -> None:
        rows = whole_number("extension_rows", self.extension_rows, least=MIN_EXTENSION_ROWS, most=MAX_EXTENSION_ROWS)
        object.__setattr__(self, "extension_rows", rows)

    def to_bytes(self) -> bytes:
        """Return the plan as the reference says it to the corrector."""
        return self.extension_rows.to_bytes(_PLAN_BYTES, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> FramePlan:
        """Read a plan of the peer's.

        Raises:
            InputError: it is none.
        """
        return cls(int.from_bytes(byte_string("data", data, count=_PLAN_BYTES), "little"))

    @property
    def code(self) -> RaptorCode:
        """The family, loaded when first asked for."""
        return load_family()

    @property
    def frame_bits(self) -> int:
        """Bits of a frame, one for each outcome."""
        return self.code.frame_bits(self.extension_rows)

    @property
    def frame_reals(self) -> int:
        """Outcomes of a frame."""
        return self.frame_bits

    @property
    def rate(self) -> float:
        """The part of a frame's bits that its syndrome leaves."""
        return 1.0 - self.syndrome_bits / self.frame_bits

    @property
    def core_bits(self) -> int:
        """Bits of a frame that determine the others when its syndrome is known; it starts with them."""
        return self.code.core_bits

    @property
    def syndrome_bits(self) -> int:
        """Bits of the syndrome that is always disclosed."""
        return self.code.syndrome_bits(self.extension_rows)

    @property
    def max_steps(self) -> int:
        """How often the syndrome of a frame that is not decoded can grow."""
        return self.code.increments.count

    def increment_bits(self, step: int) -> int:
        """Return the bits by which the syndrome grows in step 1, 2 ... `max_steps`.

        Raises:
            InputError: there is no such step.
        """
        whole_number("step", step, least=1, most=self.max_steps)
        return self.code.lift


def plan_frames(snr: float) -> FramePlan:
    """Return the plan for a signal-to-noise ratio: the variance of t x over that of z, where y = t x + z.

    Raises:
        InputError: a ratio that is none, or so small that no shipped rate is low enough.
    """
    checked = real_number("snr", snr, above=0.0, most=_LARGEST_SNR)
    capacity = 0.5 * math.log2(1.0 + checked)
    rate = capacity * _efficiency(capacity)
    code = load_family()
    rows = math.ceil(code.info_columns / rate - code.core_columns) if checked > _LOWEST_SNR else MAX_EXTENSION_ROWS + 1
    if rows > MAX_EXTENSION_ROWS:
        raise InputError(f"no code corrects a signal-to-noise ratio of {checked:.3g}; the lowest rate is 0.01")
    return FramePlan(max(rows, MIN_EXTENSION_ROWS))


def _efficiency(capacity: float) -> float:
    """Return the efficiency to plan with."""
    for (low, first), (high, last) in itertools.pairwise(_EFFICIENCY):
        if capacity <= high:
            return first + (last - first) * (capacity - low) / (high - low)
    return _EFFICIENCY[-1][1]
