"""Seeded models of sources, fibres and detectors: for tests, benchmarks and examples."""

from qkdpost.simulation.bb84 import simulate_bb84 as bb84
from qkdpost.simulation.bbm92 import simulate_bbm92 as bbm92
from qkdpost.simulation.bbm92 import simulate_bbm92_time_tags as bbm92_time_tags
from qkdpost.simulation.devices import Fibre, GatedDetectors, SinglePhotonSource, TaggingReceiver

__all__ = [
    "Fibre",
    "GatedDetectors",
    "SinglePhotonSource",
    "TaggingReceiver",
    "bb84",
    "bbm92",
    "bbm92_time_tags",
]
