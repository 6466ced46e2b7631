"""What came of numbering a receiver's tags: the detections, and what shows whether to believe them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.records import Detections
from qkdpost.sifting.pulse_numbering.alignment import Alignment
from qkdpost.sifting.pulse_numbering.clock import PulseClock
from qkdpost.sifting.pulse_numbering.sync import SyncCount

__all__ = ["DetectorCount", "PulseRecord", "three_digits"]

_BARS = " .:-=+*#%@"
_COLUMNS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorCount:
    """What one detector did.

    The numbers of the key basis' detectors reveal how many of the secret bits are 1: what is printed has three digits.

    Args:
        clicks: all of them.
        in_gates: those in a gate of its own.
        delay_ps: how late it is, against an origin common to all detectors.
        shortest_interval_ps: between two of its clicks: what its dead time cannot exceed; infinite below two clicks.
    """

    clicks: int = field(repr=False)
    in_gates: int = field(repr=False)
    delay_ps: float
    shortest_interval_ps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseRecord:
    """The detections of a receiver by pulses, and how they were found. Print it to judge a record.

    Args:
        detections: for a session or `distill`.
        clock: times of pulses.
        sync: what became of the sync tags; None if there was no sync.
        alignment: how the numbers became the sender's; None without a pattern.
        gate_ps: the full width of the gates.
        detectors: channel -> what it did.
        other_channels: how many tags were of channels that are neither detectors nor the sync.
        outside: clicks before the first pulse or after the last, or far from any sync.
        dead_time_pulses: pulses with a click that were left out because a detector was recovering.
        double_clicks: pulses of `detections` and of the pattern in which both detectors of one basis clicked, and no
            other: the bit was drawn.
        cross_clicks: those in which detectors of both bases did: basis and bit were drawn. `detections` counts them
            among its double clicks.
        histogram: clicks of all detectors by phase within a period, delays taken off; shape (n,).

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> encoding = sifting.PulseEncoding.polarisation(key=(1, 2), test=(3, 4))
    >>> tagged = qp.simulation.pulsed_time_tags(pulses=1_000_000, rng=1)
    >>> pattern, alice = sifting.alignment_pattern(tagged.prepared)
    >>> record = sifting.pulse_numbers(
    ...     tagged.ticks, tagged.channels, tick_ps=1.0, period_ps=10_000, sync_channel=5, divider=1000,
    ...     encoding=encoding, dead_time_ps=50_000, pattern=pattern,
    ... )
    >>> isinstance(record, sifting.PulseRecord)
    True
    """

    detections: Detections
    clock: PulseClock = field(repr=False)
    sync: SyncCount | None
    alignment: Alignment | None
    gate_ps: float
    detectors: dict[int, DetectorCount]
    other_channels: int
    outside: int
    dead_time_pulses: int
    double_clicks: int
    cross_clicks: int
    histogram: NDArray[np.int64] = field(repr=False)

    @property
    def share_in_gates(self) -> float:
        """Which part of the detectors' clicks fell in gates."""
        clicks = sum(count.clicks for count in self.detectors.values())
        return sum(count.in_gates for count in self.detectors.values()) / clicks if clicks else 0.0

    def __str__(self) -> str:
        rows = [
            ("detections", f"{self.detections.slots.size:,} in {self.detections.pulses:,} pulses"),
            ("period", f"{self.clock.period_ps:.6f} ps of the tagger; drift {self.clock.drift_ppm:.3g} ppm"),
            ("sync", self._sync_in_words()),
            ("alignment", self._alignment_in_words()),
            ("gates", f"{self.gate_ps:.0f} ps wide hold {100 * self.share_in_gates:.1f} % of the clicks"),
            ("double / cross clicks", f"{self.double_clicks:,} / {self.cross_clicks:,} pulses, drawn at random"),
            ("left out", f"{self.dead_time_pulses:,} pulses while a detector was recovering"),
            ("not used", f"{self.other_channels:,} tags of other channels, {self.outside:,} clicks outside the record"),
        ]
        rows += [(f"detector {channel}", _count_in_words(count)) for channel, count in self.detectors.items()]
        rows.append(("one period", f"[{_drawn(self.histogram)}]"))
        return "\n".join(f"{name:<22} {text}" for name, text in rows)

    def _sync_in_words(self) -> str:
        if self.sync is None:
            return "none: the clock is that of the clicks"
        return (
            f"{self.sync.tags:,} tags, {self.sync.missed:,} missed, {self.sync.refused:,} refused; jitter "
            f"{self.sync.jitter_ps:.0f} ps, longest gap {self.sync.longest_gap_ps * 1e-6:.3g} us"
        )

    def _alignment_in_words(self) -> str:
        if self.alignment is None:
            return "none: numbers are the receiver's own"
        return (
            f"offset {self.alignment.offset:,}: {self.alignment.agreed:,} of {self.alignment.compared:,} disclosed "
            f"bits agree, by chance with probability below {max(self.alignment.false_alarm_probability, 1e-300):.0e}"
        )


def _count_in_words(count: DetectorCount) -> str:
    share = 100 * count.in_gates / count.clicks if count.clicks else 0.0
    return (
        f"{three_digits(count.clicks):,} clicks, {share:.1f} % in gates, delay {count.delay_ps:.0f} ps, "
        f"shortest interval {count.shortest_interval_ps * 1e-3:.1f} ns"
    )


def three_digits(count: int) -> int:
    """Return a count of one detector as it may be printed: the exact one reveals how many secret bits are 1."""
    return round(count, 3 - len(str(count)))


def _drawn(histogram: NDArray[np.int64]) -> str:
    """Draw a histogram as one line of characters, darker where more is."""
    edges = np.linspace(0, histogram.size, _COLUMNS + 1).astype(np.int64)[:-1]
    columns = np.add.reduceat(histogram, edges)
    levels = np.ceil(columns / max(1, columns.max()) * (len(_BARS) - 1)).astype(np.int64)
    return "".join(_BARS[level] for level in levels)
