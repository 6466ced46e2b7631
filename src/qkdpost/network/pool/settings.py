"""Sizes of a pool: how far a direction may run ahead, what is kept back, how much may be stored."""

from __future__ import annotations

from dataclasses import dataclass, fields

from qkdpost.checks import whole_number
from qkdpost.errors import ConfigurationError

__all__ = ["PoolSettings"]

_BOUNDS = {
    "window_bytes": (32, 2**20),
    "floor_bytes": (0, 2**20),
    "least_answer_bytes": (16, 2**16),
    "chunk_bytes": (16, 2**16),
    "quota_bytes": (2**10, 2**40),
    "least_grant_bytes": (1, 2**24),
    "wrong_tags_per_segment": (1, 2**16),
    "wrong_tags_alarm": (1, 2**32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Sizes of a pool in bytes. The two ends need not agree on them.

    Args:
        window_bytes: how much a direction may be spent beyond what the other end has confirmed. A restart after a
            restored backup skips as much. It is cut to a quarter of what a direction has.
        floor_bytes: what keys leave of each direction, for tags of answers: 64 tags by default.
        least_answer_bytes: of the window, an eighth and at least this is for answers alone.
        chunk_bytes: content is stored, and erased, in rows of this size.
        quota_bytes: what a pool may hold unspent; what comes beyond is refused.
        least_grant_bytes: less than this is not worth a grant.
        wrong_tags_per_segment: after so many wrong tags under its pads a segment is given up: its copies may differ.
        wrong_tags_alarm: after so many in a pool an operator should look.

    Raises:
        ConfigurationError: a number out of bounds.

    >>> from qkdpost import network
    >>> network.PoolSettings(quota_bytes=2**24).quota_bytes
    16777216
    """

    window_bytes: int = 16 * 1024
    floor_bytes: int = 1024
    least_answer_bytes: int = 256
    chunk_bytes: int = 1024
    quota_bytes: int = 64 * 1024 * 1024
    least_grant_bytes: int = 4096
    wrong_tags_per_segment: int = 3
    wrong_tags_alarm: int = 1000

    def __post_init__(self) -> None:
        for entry in fields(self):
            least, most = _BOUNDS[entry.name]
            number = whole_number(
                entry.name, getattr(self, entry.name), least=least, most=most, error=ConfigurationError
            )
            object.__setattr__(self, entry.name, number)

    def answer_bytes(self, window: int) -> int:
        """Return how much of a window is for answers alone."""
        return max(window // 8, self.least_answer_bytes)
