"""From the folded histogram: how late each detector is, and how wide the gates around the pulses are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from qkdpost._kernels.sifting.pulses import fold
from qkdpost.checks import instance, real_number
from qkdpost.errors import InputError
from qkdpost.sifting.pulse_numbering.encoding import PulseEncoding
from qkdpost.sifting.pulse_numbering.record import three_digits

__all__ = ["Gates", "find_gates", "fold_clicks"]

BIN_PS = 20.0
MIN_BINS = 64
MAX_BINS = 2**16
MAX_CHANCE = 1e-12
"""A detector without light shows a peak that is taken for one with at most this probability."""
SAME_PLACE = 0.01
"""Bins closer than this part of a period are at the same place; no gate separates them."""
_OTHER_ERRORS = 0.02
_REFINEMENTS = 3
_SPARED = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """Where in a period clicks belong to a pulse.

    Args:
        delays: how late each detector is, in periods; a detector's clicks, less its delay, lie around `bins`.
        bins: the phase of each time bin.
        half_width: of every gate, in periods: one for all detectors, so that none is favoured.
        shifts: delays that would fit as well, if added to all; 0 is the first.
        histogram: clicks of all detectors by phase, delays taken off; bin 0 lies at phase 0. Shape (n,).
    """

    delays: Floats
    bins: Floats
    half_width: float
    shifts: tuple[float, ...]
    histogram: NDArray[np.int64] = field(repr=False)

    def moved(self, shift: float) -> Gates:
        """Return the gates that follow if all detectors are later by `shift` periods."""
        return replace(self, delays=self.delays + shift) if shift else self


def fold_clicks(
    coordinates: Floats, detectors: NDArray[np.uint8], count: int, *, period_ps: float, tick_ps: float
) -> NDArray[np.int64]:
    """Return the clicks of `count` detectors by phase, in bins of about 20 ps or a tick; shape (count, bins)."""
    bins = int(np.clip(round(period_ps / max(BIN_PS, tick_ps)), MIN_BINS, MAX_BINS))
    histogram = np.zeros((count, bins), dtype=np.int64)
    fold(coordinates, detectors, histogram)
    return histogram


def find_gates(
    folded: NDArray[np.int64],
    encoding: PulseEncoding,
    *,
    period_ps: float,
    gate_ps: float | None,
    delays_ps: Mapping[int, float] | None,
) -> Gates:
    """Find delays of detectors and the width of gates.

    A detector's delay is where the comb of the bins that light reaches fits its clicks best. It is taken off before
    clicks are given to pulses, so that a late detector's clicks do not fall to the next pulse, whose number would set
    them apart from the others'. The width leaves most key: of windows with C clicks of which A come by chance, as the
    emptiest parts of the period show, that with the largest C (1 - 2 h(e + A / 2C)), h the binary entropy, e = 2 %.

    Args:
        folded: from `fold_clicks`, one row for each of the encoding's detectors.
        encoding: which bins light reaches, and which count.
        period_ps: of the pulses.
        gate_ps: the full width of gates; None to choose it.
        delays_ps: channel -> what is known of its delay against the others, to a quarter of a period; None if equal.

    Raises:
        InputError: a detector shows no peak, or windows overlap.
    """
    bins = (np.array(encoding.bins_ps) - encoding.bins_ps[0]) / period_ps
    spacing = _min_spacing(encoding, bins)
    width = None if gate_ps is None else real_number("gate_ps", gate_ps, above=0, unit="ps") / period_ps
    if width is not None and width > spacing:
        raise InputError(
            f"windows of {gate_ps:g} ps overlap: bins and pulses are {spacing * period_ps:.0f} ps apart; take a "
            "smaller gate_ps"
        )
    combs = [_comb(bins[list(encoding.lit_bins(detector))]) for detector in encoding.detectors]
    centres = [_centre(*item) for item in zip(folded, combs, encoding.detectors, strict=True)]
    ways = [_same_combs(comb) for comb in combs]
    delays = _joined(centres, ways, folded.sum(axis=1), _known_delays(encoding, delays_ps, period_ps))
    aligned = np.zeros(folded.shape[1], dtype=np.int64)
    for row, delay in zip(folded, delays, strict=True):
        aligned += np.roll(row, -round(delay * aligned.size))
    return Gates(
        delays=delays,
        bins=bins,
        half_width=_best_half_width(folded, delays, encoding, bins, spacing) if width is None else width / 2,
        shifts=tuple(
            shift for shift in ways[0] if all(min(_apart(shift, one) for one in way) < SAME_PLACE for way in ways)
        ),
        histogram=aligned,
    )


def _min_spacing(encoding: PulseEncoding, bins: Floats) -> float:
    """Return how far apart, in periods, two gates are at least, those of the next pulse too."""
    named = sorted({place for _, place in encoding.outcomes})
    spacings = [1.0 - float(bins[named[-1]] - bins[named[0]])]
    for detector in encoding.detectors:
        own, lit = list(encoding.named_bins(detector)), list(encoding.lit_bins(detector))
        apart = (bins[own][:, None] - bins[lit][None, :]) % 1.0
        others = np.array(own)[:, None] != np.array(lit)[None, :]
        spacings += np.minimum(apart, 1.0 - apart)[others].tolist()
    least = min(spacings)
    if least < SAME_PLACE:
        raise InputError(
            "the windows of one pulse overlap those of the next: its time bins must fit into the period. Where the "
            "outer peaks behind an interferometer do not, write outer_peaks='loss'"
        )
    return least


def _known_delays(encoding: PulseEncoding, delays_ps: Mapping[int, float] | None, period_ps: float) -> Floats:
    if delays_ps is None:
        return np.zeros(len(encoding.detectors))
    instance("delays_ps", delays_ps, Mapping, hint="Write {channel: picoseconds}")  # type: ignore[type-abstract]
    if set(delays_ps) != set(encoding.detectors):
        raise InputError(f"delays_ps must name the detectors {encoding.detectors}; found {tuple(delays_ps)}")
    named = [real_number(f"delays_ps[{detector}]", delays_ps[detector], unit="ps") for detector in encoding.detectors]
    return np.array(named) / period_ps


def _centre(row: NDArray[np.int64], comb: Floats, detector: int) -> float:
    """Return the phase at which a comb of bins fits a detector's clicks best."""
    total = np.sum([np.roll(row, -round(place * row.size)) for place in comb], axis=0)
    bins, clicks = total.size, int(total.sum())
    around = np.concatenate([[0], np.cumsum(np.concatenate([total, total]))])
    best = (-np.inf, 0, 1)
    for width in (1 << power for power in range(max(1, bins.bit_length() - 2))):
        sums = around[width : width + bins] - around[:bins]
        expected = clicks * width / bins
        excess = (sums - expected) / max(expected, 1.0) ** 0.5
        best = max(best, (float(excess.max()), int(excess.argmax()), width))
    _, first, width = best
    inside = int(around[first + width] - around[first])
    if clicks == 0 or gammainc(max(inside, 1), clicks * width / bins) * bins * bins.bit_length() > MAX_CHANCE:
        raise InputError(
            f"the {three_digits(int(row.sum())):,} clicks of detector {detector} show no peak at the period "
            "of the pulses: check that light reaches it, period_ps, and sync_channel and divider if there is a sync"
        )
    centre = first + width / 2
    for _ in range(_REFINEMENTS):
        near = np.arange(int(centre) - width, int(centre) + width + 1)
        weights = total[near % bins] - min(clicks / bins, float(total[near % bins].mean()))
        weights = np.maximum(weights, 0.0)
        centre = float((weights * (near + 0.5)).sum() / weights.sum()) if weights.sum() else centre
    return float(centre / bins)


def _comb(places: Floats) -> Floats:
    """Return the different phases of bins."""
    different: list[float] = []
    for place in places % 1.0:
        if not any(_apart(float(place), other) < SAME_PLACE for other in different):
            different.append(float(place))
    return np.array(different)


def _apart(first: float, second: float) -> float:
    """Return how far apart two phases are, around the period."""
    return abs(first - second - round(first - second))


def _same_combs(comb: Floats) -> tuple[float, ...]:
    """Return the shifts, 0 first, under which a comb falls on itself within a period."""
    return tuple(
        float(place - comb[0]) % 1.0
        for place in comb
        if all(min(_apart(own + place - comb[0], other) for other in comb) < SAME_PLACE for own in comb)
    )


def _joined(centres: list[float], ways: list[tuple[float, ...]], clicks: NDArray[np.int64], known: Floats) -> Floats:
    """Return delays that lie together: whole periods, and shifts that fit as well, are chosen by what is known.

    One of them, of few ways and many clicks, lies within half a period of phase 0, that of the sync.
    """
    anchor = min(range(len(centres)), key=lambda row: (len(ways[row]), -clicks[row]))
    centres = [centre - round(centre) for centre in centres]
    delays = np.empty(len(centres))
    for row, centre in enumerate(centres):
        expected = centres[anchor] + known[row] - known[anchor]
        fitting = [centre + shift + round(expected - centre - shift) for shift in ways[row]]
        delays[row] = min(fitting, key=lambda delay: abs(delay - expected))
    return delays


def _best_half_width(
    folded: NDArray[np.int64], delays: Floats, encoding: PulseEncoding, bins: Floats, spacing: float
) -> float:
    size = folded.shape[1]
    near = np.zeros(size)
    background = 0.0
    for row, delay, detector in zip(folded, delays, encoding.detectors, strict=True):
        named = encoding.named_bins(detector)
        for place in named:
            near += np.roll(row, size // 2 - int((delay + bins[place]) % 1.0 * size))
        background += len(named) * _background(row)
    reach = max(1, int(spacing * size / 2))
    centre = size // 2
    widths = np.arange(reach)
    inside = np.array([near[centre - width : centre + width + 1].sum() for width in widths])
    chance = np.minimum(background * (2 * widths + 1), inside)
    rate = np.clip(_OTHER_ERRORS + chance / (2 * np.maximum(inside, 1)), 0.0, 0.5)
    entropy = -(rate * np.log2(rate) + (1 - rate) * np.log2(1 - rate))
    key = inside * (1 - 2 * entropy)
    # Without noise the best is hardly better than many a narrower one: of these the narrowest is taken.
    enough = int(np.argmax(key >= (1 - _SPARED) * key.max()))
    return min(spacing / 2, (enough + 1) / float(size))


def _background(row: NDArray[np.int64]) -> float:
    """Return the clicks in a bin where no light falls, as the emptier parts of the period show."""
    parts = np.add.reduceat(row, np.arange(0, row.size, max(1, row.size // 32)))[:32]
    return float(np.quantile(parts, 0.2)) / max(1, row.size // 32)
