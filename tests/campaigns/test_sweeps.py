from __future__ import annotations

from dataclasses import replace

import qkdpost as qp
from qkdpost.campaigns import InThisProcess, planning_tasks, run


def test_a_sweep_gives_what_planning_gives() -> None:
    link = qp.planning.DecoyBB84Link()
    links = [replace(link, fibre=replace(link.fibre, length_km=length)) for length in (10.0, 50.0)]
    found = run(planning_tasks(links, pulses=[10**9, 10**10], optimised=False), executor=InThisProcess())
    expected = [
        qp.planning.expected_length(at, pulses=pulses, epsilon=1e-10).bits for at in links for pulses in (10**9, 10**10)
    ]
    assert [(outcome.result or {})["bits"] for outcome in found] == expected
