"""The record of a side that has a time tagger."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost.checks import increasing, real_number, small_vector
from qkdpost.display import html_table
from qkdpost.errors import InputError

__all__ = ["MAX_SPAN_TICKS", "MAX_TICK", "MAX_TICK_PS", "MIN_TICK_PS", "TimeTags"]

MAX_TICK = 2**61
"""Ticks lie within +-this, so that no difference of two of them overflows 64 bits."""
MAX_SPAN_TICKS = 2**53 - 1
"""The longest record of time tags that can be encoded: 2.5 hours at 1 ps."""
MIN_TICK_PS = 0.1
"""Far below the jitter of any detector; shorter ticks would only make histograms long."""
MAX_TICK_PS = 10_000.0
"""Longer ticks no longer separate pairs from chance."""

_CHANNELS = "0 ... 3: outcomes 0 and 1 of the key basis, then of the test basis"
_SECONDS_HINT = "Make whole ticks of seconds by np.rint(seconds / tick_seconds).astype(np.int64)"
_SORT_HINT = (
    "sifting.sort_time_tags sorts a slight disorder; else order = np.argsort(ticks, kind='stable'), and ticks[order], "
    "channels[order] are the record"
)


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class TimeTags:
    """Clicks of one side's four detectors in the order of time, as a time tagger writes them.

    Args:
        ticks: when each click came, in ticks, non-decreasing; integers, shape (n,).
        channels: which detector clicked: 0 and 1 are outcomes 0 and 1 of the key basis, 2 and 3 those of the
            test basis; shape (n,). Secret for the key basis.
        tick_ps: the length of a tick in picoseconds: those of the tagger itself, not finer ones, in which the time of a
            click would reveal its detector.

    A session draws a random outcome where both detectors of a basis clicked, a random basis where those of both did,
    and where in its tick each click of a coarse tagger lies, always from the operating system's generator (`secrets`).

    >>> TimeTags([0, 70_000, 1_500_000], [0, 3, 1], 1_000.0)
    TimeTags(clicks=3, duration_s=0.0015, tick_ps=1000.0)
    """

    ticks: NDArray[np.int64] = field(repr=False)
    channels: NDArray[np.uint8] = field(repr=False)
    tick_ps: float

    def __init__(self, ticks: ArrayLike, channels: ArrayLike, tick_ps: float) -> None:
        object.__setattr__(self, "ticks", _ticks(ticks))
        values = small_vector("channels", channels, most=3, wanted=_CHANNELS)
        if values.size != self.ticks.size:
            raise InputError(
                f"ticks and channels must have one entry per click; found {self.ticks.size} and {values.size}"
            )
        own = values.astype(np.uint8)
        own.flags.writeable = False
        object.__setattr__(self, "channels", own)
        object.__setattr__(self, "tick_ps", real_number("tick_ps", tick_ps, above=0.0, unit="picoseconds"))

    def __repr__(self) -> str:
        return f"TimeTags(clicks={self.clicks}, duration_s={self.duration_s:.6g}, tick_ps={self.tick_ps})"

    def _repr_html_(self) -> str:
        test = int(np.count_nonzero(self.channels >= 2))
        rows = [
            ("clicks", f"{self.clicks:,}"),
            ("of these in key / test basis", f"{self.clicks - test:,} / {test:,}"),
            ("from first to last", f"{self.duration_s:.6g} s"),
            ("tick", f"{self.tick_ps:g} ps"),
        ]
        return html_table("TimeTags", rows)

    def __copy__(self) -> TimeTags:
        """Return another record of the same arrays, which nobody can write to; `__reduce__` would copy them."""
        other = object.__new__(TimeTags)
        for item in fields(self):
            object.__setattr__(other, item.name, getattr(self, item.name))
        return other

    def __reduce__(self) -> tuple[Callable[..., TimeTags], tuple[Any, ...]]:
        """Pickle what it is made of: what is unpickled is checked, and its arrays are read-only again."""
        return _time_tags, (self.ticks, self.channels, self.tick_ps)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimeTags):
            return NotImplemented
        same = self.tick_ps == other.tick_ps and np.array_equal(self.ticks, other.ticks)
        return same and hmac.compare_digest(self.channels.tobytes(), other.channels.tobytes())

    __hash__ = None  # type: ignore[assignment]

    @property
    def clicks(self) -> int:
        """The number of clicks."""
        return int(self.ticks.size)

    @property
    def duration_s(self) -> float:
        """The time from the first click to the last, in seconds, by the tagger's own clock."""
        return (int(self.ticks[-1]) - int(self.ticks[0])) * self.tick_ps * 1e-12 if self.clicks else 0.0

    @property
    def events(self) -> int:
        """The same: each click is a detection."""
        return self.clicks

    def check_for(self, settings: object) -> None:
        """Check the times, `check_times`; the settings of a link say nothing of a single record.

        Raises:
            InputError: the times cannot be encoded.
        """
        self.check_times()

    def check_times(self) -> None:
        """Check that the times can be calibrated and encoded for a peer.

        Raises:
            InputError: a tick is outside `MIN_TICK_PS` ... `MAX_TICK_PS`, ticks lie outside +-2^61, or they span 2^53
                or more.
        """
        if not MIN_TICK_PS <= self.tick_ps <= MAX_TICK_PS:
            raise InputError(f"tick_ps must lie in {MIN_TICK_PS} ... {MAX_TICK_PS}; found {self.tick_ps}")
        if not self.clicks:
            return
        first, last = int(self.ticks[0]), int(self.ticks[-1])
        if max(-first, last) > MAX_TICK:
            raise InputError(f"ticks must lie within +-2^61; found {first} ... {last}")
        if last - first > MAX_SPAN_TICKS:
            raise InputError(f"a record must span less than 2^53 ticks; found {last - first}. Submit it in pieces")


def _time_tags(ticks: ArrayLike, channels: ArrayLike, tick_ps: float) -> TimeTags:
    return TimeTags(ticks=ticks, channels=channels, tick_ps=tick_ps)


def _ticks(ticks: ArrayLike) -> NDArray[np.int64]:
    return increasing(
        "ticks",
        ticks,
        strictly=False,
        hint=_SECONDS_HINT,
        flag_hint=_SECONDS_HINT,
        disorder_hint=_SORT_HINT,
        roll_over_hint="sifting.unwrap_ticks does it",
    )
