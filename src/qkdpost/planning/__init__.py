"""Planning a link: what it is expected to give, which choices are best, how long it must run.

The numbers come from the same bounds as in a session, applied to the counts that a model of the devices expects. An
expectation is not a promise: half of all blocks count less.
"""

from __future__ import annotations

from qkdpost.planning.acceptance import FixedLengthPlan, plan_fixed_length
from qkdpost.planning.links import AnyLink, BBM92Link, DecoyBB84Link, SinglePhotonBB84Link, expected_length
from qkdpost.planning.optimisation import Plan, optimise, rate_curve, repeaterless_limit, time_to_collect

__all__ = [
    "AnyLink",
    "BBM92Link",
    "DecoyBB84Link",
    "FixedLengthPlan",
    "Plan",
    "SinglePhotonBB84Link",
    "expected_length",
    "optimise",
    "plan_fixed_length",
    "rate_curve",
    "repeaterless_limit",
    "time_to_collect",
]
