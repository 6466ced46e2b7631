"""Planning a link: what it is expected to give, which choices are best, how long it must run.

The numbers come from the same bounds as in a session, applied to the counts that a model of the devices expects. An
expectation is not a promise: half of all blocks count less.
"""

from __future__ import annotations

from qkdpost.planning.acceptance import FixedLengthPlan, plan_fixed_length
from qkdpost.planning.coherent_link import GaussianLink
from qkdpost.planning.decoy_link import DecoyBB84Link
from qkdpost.planning.links import expected_length
from qkdpost.planning.optimisation import Plan, optimise, rate_curve, repeaterless_limit, time_to_collect
from qkdpost.planning.pair_link import BBM92Link
from qkdpost.planning.planned_link import PlannedLink
from qkdpost.planning.single_photon_link import SinglePhotonBB84Link
from qkdpost.planning.tolerance import tolerated_error_rate
from qkdpost.planning.virtual_channel import virtual_channel_capacity
from qkdpost.security.gaussian.constellations import Constellation
from qkdpost.security.gaussian.discrete_modulation import DiscreteModulationRate, asymptotic_discrete_rate

__all__ = [
    "BBM92Link",
    "Constellation",
    "DecoyBB84Link",
    "DiscreteModulationRate",
    "FixedLengthPlan",
    "GaussianLink",
    "Plan",
    "PlannedLink",
    "SinglePhotonBB84Link",
    "asymptotic_discrete_rate",
    "expected_length",
    "optimise",
    "plan_fixed_length",
    "rate_curve",
    "repeaterless_limit",
    "time_to_collect",
    "tolerated_error_rate",
    "virtual_channel_capacity",
]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
