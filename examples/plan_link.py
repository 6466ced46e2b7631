"""What a link may give: four kinds of QKD over 0 to 200 km of fibre, as one picture.

    python examples/plan_link.py [--pulses 1e10] [--points 21] [--output plan_link.png]

At every distance, intensities, probabilities and basis bias are optimised for the expected finite key of a block, and
the modulation variance of coherent states; the dotted lines are what the same choices would give of endless blocks.
Continuous variables have a length against Gaussian collective attacks, the others against coherent ones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np

import qkdpost as qp


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pulses", type=float, default=1e10, help="pulses in a block (default 1e10)")
    parser.add_argument("--points", type=int, default=21, help="distances (default 21)")
    parser.add_argument("--output", type=Path, default=Path("plan_link.png"))
    options = parser.parse_args()
    links = {
        "decoy-state BB84": qp.planning.DecoyBB84Link(),
        "BB84 with a single-photon source": qp.planning.SinglePhotonBB84Link(),
        "BBM92 with entangled pairs": qp.planning.BBM92Link(),
        "continuous variables": qp.planning.GaussianLink(),
    }
    distances = np.linspace(0.0, 200.0, options.points).tolist()
    curves = {}
    for name, link in links.items():
        print(name, file=sys.stderr)
        curves[name] = qp.planning.rate_curve(link, distances_km=distances, pulses=int(options.pulses), progress=True)
    for name, plans in curves.items():
        reach = max((plan.link.fibre.length_km for plan in plans if plan.result.bits), default=0.0)
        print(f"{name}: {plans[0].bits_per_pulse:.3g} bits per pulse at 0 km, key up to {reach:g} km")
    axes = qp.plotting.plot_key_rates(curves)
    axes.set_title(f"blocks of {options.pulses:.0e} pulses")
    axes.figure.savefig(options.output, dpi=120)
    print(f"picture: {options.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
