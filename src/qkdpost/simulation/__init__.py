"""Seeded models of sources, fibres and detectors: for tests, benchmarks and examples."""

from qkdpost.simulation.bb84 import simulate_bb84 as bb84
from qkdpost.simulation.bbm92 import simulate_bbm92 as bbm92
from qkdpost.simulation.bbm92 import simulate_bbm92_time_tags as bbm92_time_tags
from qkdpost.simulation.decoy_bb84 import simulate_decoy_bb84 as decoy_bb84
from qkdpost.simulation.devices import (
    Fibre,
    GatedDetectors,
    ImperfectPhotonSource,
    SinglePhotonSource,
    TaggingReceiver,
    WeakCoherentSource,
)
from qkdpost.simulation.gaussian_cv import simulate_gaussian_cv as gaussian_cv
from qkdpost.simulation.gaussian_cv import simulate_gaussian_cv_records as gaussian_cv_records
from qkdpost.simulation.gaussian_devices import CoherentImperfections
from qkdpost.simulation.pulsed import PulsedTimeTags
from qkdpost.simulation.pulsed import simulate_pulsed_time_tags as pulsed_time_tags
from qkdpost.simulation.pulsed_devices import LaserClock, PulsedReceiver
from qkdpost.simulation.single_photon import simulate_single_photon_bb84 as single_photon_bb84

__all__ = [
    "CoherentImperfections",
    "Fibre",
    "GatedDetectors",
    "ImperfectPhotonSource",
    "LaserClock",
    "PulsedReceiver",
    "PulsedTimeTags",
    "SinglePhotonSource",
    "TaggingReceiver",
    "WeakCoherentSource",
    "bb84",
    "bbm92",
    "bbm92_time_tags",
    "decoy_bb84",
    "gaussian_cv",
    "gaussian_cv_records",
    "pulsed_time_tags",
    "single_photon_bb84",
]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
