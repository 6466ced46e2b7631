"""What a host tolerates in its own record: part of a link's configuration."""

from __future__ import annotations

import math

from qkdpost.checks import Settings, keep, real_number

__all__ = ["RecordLimits"]


class RecordLimits(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the devices of a link may be from ideal before their hosts refuse what they recorded.

    The limits say what is still the behaviour of honest devices. A record is refused if it shows more than that, beyond
    all chance: devices within the limits lose a block with probability 2^-40. Each limit can be switched off by None
    alone; the report of every block then says so.

    Args:
        max_ratio: how many times as often one detector of a basis may click as the other, or one bit be prepared
            as the other.
        min_basis_share: the least share of either basis.
        share_drift: by how much the share of the test basis, or of an intensity, may differ between the records of a
            block and from what the link states, where it is near 1/2; where it is p, by 4 p (1 - p) times that. That of
            the test basis is compared between the parts of a record, too. The proofs want it to be equal.
        prepared_correlation: the largest correlation of prepared bits, bases and intensities with those up to 128
            pulses before.
        detected_correlation: the same of detection bases and of outcomes, in the order of detections: dead times and
            afterpulses make some. How far shares wander within a record is limited by its root.

    Raises:
        InputError: a ratio below 1, or another limit outside 0 ... 1.

    >>> RecordLimits(max_ratio=4.0, share_drift=None).off
    ('share_drift',)
    """

    max_ratio: float | None = 2.0
    min_basis_share: float | None = 1e-4
    share_drift: float | None = 0.02
    prepared_correlation: float | None = 0.02
    detected_correlation: float | None = 0.2

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None:
                least, most = (1.0, math.inf) if name == "max_ratio" else (0.0, 1.0)
                keep(self, name, real_number(name, value, least=least, most=most))

    @property
    def off(self) -> tuple[str, ...]:
        """The names of the limits that are switched off."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is None)
