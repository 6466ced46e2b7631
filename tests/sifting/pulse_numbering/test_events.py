"""Which pulses are told must not depend on what was seen in them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qkdpost.sifting import PulseEncoding
from qkdpost.sifting.pulse_numbering.events import collect_events
from qkdpost.sifting.pulse_numbering.gates import Gates

PERIOD_PS, SEPARATION_PS, GATE_PS = 10_000.0, 2_000.0, 500.0
TIME_BIN = PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=SEPARATION_PS)
PLACES = list(TIME_BIN.outcomes)
GATES = Gates(
    delays=np.zeros(3),
    bins=np.array(TIME_BIN.bins_ps) / PERIOD_PS,
    half_width=GATE_PS / 2 / PERIOD_PS,
    shifts=(0.0,),
    histogram=np.zeros(64, dtype=np.int64),
)


def told(pulses: list[int], places: list[tuple[int, int]], jitters_ps: list[float], dead_time_ps: float) -> list[int]:
    """Return the numbers of pulses that are told if one click was seen in each of `pulses`."""
    bins = np.array([TIME_BIN.bins_ps[place] for _, place in places])
    coordinates: NDArray[np.float64] = np.array(pulses) + (bins + jitters_ps) / PERIOD_PS
    detectors = np.array([TIME_BIN.detectors.index(detector) for detector, _ in places], dtype=np.uint8)
    found = collect_events(
        coordinates, detectors, TIME_BIN, GATES, dead_time=dead_time_ps / PERIOD_PS, record_start=-100.0
    )
    slots: list[int] = found.slots.tolist()
    return slots


def test_no_pulse_tells_that_the_one_a_dead_time_before_was_early() -> None:
    """With 48 ns, pulse 5 begins 49.75 ns after an early click in pulse 0 and 47.75 ns after a late one."""
    for dead_time_ps in range(40_000, 52_000, 250):
        early, late = (told([0, 5], [(1, place), (2, 1)], [0.0, 0.0], dead_time_ps) for place in (0, 1))
        assert early == late


@given(st.data(), st.lists(st.integers(0, 60), min_size=1, max_size=20, unique=True), st.floats(1_000, 90_000))
def test_the_pulses_that_are_told_do_not_depend_on_detector_time_bin_or_jitter(
    data: st.DataObject, pulses: list[int], dead_time_ps: float
) -> None:
    pulses.sort()
    size = {"min_size": len(pulses), "max_size": len(pulses)}
    first, second = (
        told(
            pulses,
            data.draw(st.lists(st.sampled_from(PLACES), **size)),
            data.draw(st.lists(st.floats(-240.0, 240.0), **size)),
            dead_time_ps,
        )
        for _ in range(2)
    )
    assert first == second
