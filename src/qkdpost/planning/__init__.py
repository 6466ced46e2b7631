"""Planning a link: what it is expected to give, which choices are best, how long it must run.

The numbers come from the same bounds as in a session, applied to the counts that a model of the devices expects. An
expectation is not a promise: half of all blocks count less.
"""

from __future__ import annotations

from qkdpost.planning.acceptance import FixedLengthPlan, plan_fixed_length
from qkdpost.planning.coherent_link import GaussianLink
from qkdpost.planning.links import AnyLink, BBM92Link, DecoyBB84Link, SinglePhotonBB84Link, expected_length
from qkdpost.planning.optimisation import Plan, optimise, rate_curve, repeaterless_limit, time_to_collect
from qkdpost.planning.virtual_channel import virtual_channel_capacity
from qkdpost.security.gaussian.constellations import Constellation
from qkdpost.security.gaussian.discrete_modulation import DiscreteModulationRate, asymptotic_discrete_rate

__all__ = [
    "AnyLink",
    "BBM92Link",
    "Constellation",
    "DecoyBB84Link",
    "DiscreteModulationRate",
    "FixedLengthPlan",
    "GaussianLink",
    "Plan",
    "SinglePhotonBB84Link",
    "asymptotic_discrete_rate",
    "expected_length",
    "optimise",
    "plan_fixed_length",
    "rate_curve",
    "repeaterless_limit",
    "time_to_collect",
    "virtual_channel_capacity",
]
