"""Two hosts make a secret key: two processes that talk TCP on loopback, each given only its own records.

    python examples/two_hosts.py [--kind decoy-bb84] [--pulses N] [--fibre-km 50] [--reconciliation cascade|ldpc]

The records are simulated: decoy-state BB84 (two decoys, or one with "one-decoy"), BB84 with a single-photon source, or
BBM92 with entangled pairs. Both reports are printed, with every term of the bound, and whether the two keys agree.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from dataclasses import replace

import numpy as np

import qkdpost as qp
from hosts import run_two_hosts

LINKS = {
    "decoy-bb84": qp.LinkConfig(
        kind="decoy-bb84",
        intensities=(0.5, 0.15, 2e-4),
        intensity_probabilities=(0.6, 0.3, 0.1),
        test_probabilities=(0.2, 0.2),
    ),
    "one-decoy": qp.LinkConfig(
        kind="decoy-bb84",
        intensities=(0.5, 0.15),
        intensity_probabilities=(0.7, 0.3),
        test_probabilities=(0.2, 0.2),
    ),
    "single-photon-bb84": qp.LinkConfig(
        kind="single-photon-bb84", mean_photons=0.2, g2=0.02, test_probabilities=(0.1, 0.1)
    ),
    "bb84": qp.LinkConfig(kind="bb84"),
    "bbm92": qp.LinkConfig(kind="bbm92"),
}
PULSES = {"decoy-bb84": 10**8, "one-decoy": 10**8, "single-photon-bb84": 10**8, "bb84": 2 * 10**7, "bbm92": 4 * 10**8}


def simulate(link: qp.LinkConfig, pulses: int, fibre_km: float) -> tuple[object, object]:
    rng = np.random.default_rng(secrets.randbits(128))
    match link.kind:
        case "decoy-bb84":
            return qp.simulation.decoy_bb84(link, pulses=pulses, fibre_km=fibre_km, rng=rng)
        case "single-photon-bb84":
            return qp.simulation.single_photon_bb84(link, pulses=pulses, fibre_km=fibre_km, rng=rng)
        case "bbm92":
            return qp.simulation.bbm92(slots=pulses, pairs_per_slot=0.02, fibre_km=fibre_km, rng=rng)
        case _:
            return qp.simulation.bb84(pulses=pulses, fibre_km=fibre_km, rng=rng)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=LINKS, default="decoy-bb84")
    parser.add_argument("--pulses", type=int, help="pulses or slots (by default so many that key is left at 50 km)")
    parser.add_argument("--fibre-km", type=float, default=50.0, help="length of the fibre (default 50)")
    parser.add_argument("--reconciliation", choices=("cascade", "ldpc", "auto"), default="cascade")
    options = parser.parse_args()
    link = replace(LINKS[options.kind], reconciliation=options.reconciliation)
    pulses = options.pulses or PULSES[options.kind]
    print(f"simulating {pulses:,} pulses over {options.fibre_km:g} km of fibre", file=sys.stderr)
    alice, bob = simulate(link, pulses, options.fibre_km)
    return run_two_hosts(alice, bob, link)


if __name__ == "__main__":
    raise SystemExit(main())
