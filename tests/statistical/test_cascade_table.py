"""Cascade against the published table, at full size."""

from __future__ import annotations

import pytest
from benchmarks.quality.cascade_table import PUBLISHED, point_of, tasks_of

from qkdpost import campaigns

FRAMES = 2000


@pytest.mark.slow
def test_efficiency_and_frame_errors_of_the_table() -> None:
    here = campaigns.InThisProcess()
    rates = (1, 2, 3, 5, 8, 11)
    points = [point_of(qber, campaigns.run(tasks_of(qber, FRAMES, seed=1), executor=here)) for qber in rates]
    for point in points:
        assert abs(point.efficiency / PUBLISHED[point.qber_percent][0] - 1) < 0.01
        assert point.frame_errors <= 1.5e-3 * FRAMES
        assert point.undetected == 0
    assert sum(point.frame_errors for point in points) <= 5e-4 * FRAMES * len(points)
