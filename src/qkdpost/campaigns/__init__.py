"""Campaigns: many records, links, plans or blocks of a curve, over processes or a cluster, and resumed after a cut.

A campaign is a number of `Task`s. `run` does them all over any `concurrent.futures.Executor` - processes of this
machine, unless another is given - and records each outcome in one append-only file, so that the same call goes on where
it was cut::

    import qkdpost as qp

    tasks = qp.campaigns.correction_tasks(error_rates=[0.01, 0.03, 0.05], bits=2**20, blocks=100, method="ldpc")
    outcomes = qp.campaigns.run(tasks, file="ldpc.jsonl", progress=True)
    for point in qp.campaigns.correction_curve(outcomes):
        print(f"{point.error_rate:.4f} {point.efficiency:.4f} {point.frame_error_rate:.1e}")

Each task draws from a generator of its own, which follows from the seed of the campaign and the task alone: neither the
executor nor the number of workers changes an outcome.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qkdpost.campaigns.pools import InThisProcess
from qkdpost.campaigns.results_file import read
from qkdpost.campaigns.running import outcomes, run
from qkdpost.campaigns.task import Outcome, Task

if TYPE_CHECKING:
    from qkdpost.campaigns.correction import CorrectionPoint, corrected_block, correction_curve, correction_tasks
    from qkdpost.campaigns.distillations import distillation_tasks, distilled_records
    from qkdpost.campaigns.sweeps import planned_link, planning_tasks

__all__ = [
    "CorrectionPoint",
    "InThisProcess",
    "Outcome",
    "Task",
    "corrected_block",
    "correction_curve",
    "correction_tasks",
    "distillation_tasks",
    "distilled_records",
    "outcomes",
    "planned_link",
    "planning_tasks",
    "read",
    "run",
]

_HOMES = {
    "CorrectionPoint": "correction",
    "corrected_block": "correction",
    "correction_curve": "correction",
    "correction_tasks": "correction",
    "distillation_tasks": "distillations",
    "distilled_records": "distillations",
    "planned_link": "sweeps",
    "planning_tasks": "sweeps",
}


if not TYPE_CHECKING:  # to type checkers a name that is not written above does not exist, so that they refuse typos

    def __getattr__(name: str) -> Any:
        """Enter the rooms that tasks work in when they are first used: a worker is ready sooner without the others."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
