"""Two hosts make a secret key: two processes that talk TCP on loopback, each given only its own records.

    python examples/two_hosts.py [--kind bb84|bbm92] [--pulses N] [--fibre-km L]

The records are simulated. Both reports are printed, and whether the digests of the two keys agree.
"""

from __future__ import annotations

import argparse
import secrets
import sys

import numpy as np

import qkdpost as qp
from hosts import run_two_hosts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("bb84", "bbm92"), default="bb84")
    parser.add_argument("--pulses", type=int, help="pulses sent (default 20 million; bbm92: 400 million slots)")
    parser.add_argument("--fibre-km", type=float, default=50.0, help="length of the fibre (default 50)")
    options = parser.parse_args()
    options.pulses = options.pulses or {"bb84": 20_000_000, "bbm92": 400_000_000}[options.kind]
    print(f"simulating {options.pulses:,} pulses over {options.fibre_km:g} km of fibre", file=sys.stderr)
    rng = np.random.default_rng(secrets.randbits(128))
    if options.kind == "bb84":
        alice, bob = qp.simulation.bb84(pulses=options.pulses, fibre_km=options.fibre_km, rng=rng)
    else:
        alice, bob = qp.simulation.bbm92(slots=options.pulses, pairs_per_slot=0.02, fibre_km=options.fibre_km, rng=rng)
    return run_two_hosts(alice, bob, qp.LinkConfig(kind=options.kind))


if __name__ == "__main__":
    raise SystemExit(main())
