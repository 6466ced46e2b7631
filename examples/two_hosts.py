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
    parser.add_argument("--pulses", type=int, default=20_000_000, help="pulses sent (default 20 million)")
    parser.add_argument("--fibre-km", type=float, default=50.0, help="length of the fibre (default 50)")
    options = parser.parse_args()
    print(f"simulating {options.pulses:,} pulses over {options.fibre_km:g} km of fibre", file=sys.stderr)
    model = {"bb84": qp.simulation.bb84, "bbm92": qp.simulation.bbm92}[options.kind]
    rng = np.random.default_rng(secrets.randbits(128))
    alice, bob = model(pulses=options.pulses, fibre_km=options.fibre_km, rng=rng)
    return run_two_hosts(alice, bob, qp.LinkConfig(kind=options.kind))


if __name__ == "__main__":
    raise SystemExit(main())
