"""A key from coherent states, in one process: simulate both records, distill, read the report.

    python examples/gaussian_cv.py [--symbols 3e6] [--fibre-km 5] [--detection heterodyne] [--excess-noise 0.01]
        [--correction multidimensional]

Units are those of shot noise; docs/continuous_variables.md has those of other programs. What the link is expected to
give is printed first. Most of the time goes into decoding: a minute or so for three million symbols. Try what takes the
key away: a longer fibre, fewer symbols, more noise; the report then says which term was too large. Short fibres give
more with `--correction slices`, and a stronger modulation.
"""

from __future__ import annotations

import argparse

import qkdpost as qp

EFFICIENCY, ELECTRONIC_NOISE = 0.6, 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=float, default=3e6, help="coherent states that are sent (default 3e6)")
    parser.add_argument("--fibre-km", type=float, default=5.0)
    parser.add_argument("--excess-noise", type=float, default=0.01, help="at the channel's input (default 0.01)")
    parser.add_argument("--detection", choices=("heterodyne", "homodyne"), default="heterodyne")
    parser.add_argument("--correction", choices=("multidimensional", "slices"), default="multidimensional")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    options = parser.parse_args()
    planned = qp.planning.optimise(
        qp.planning.GaussianLink(
            fibre=qp.simulation.Fibre(length_km=options.fibre_km),
            excess_noise=options.excess_noise,
            efficiency=EFFICIENCY,
            electronic_noise=ELECTRONIC_NOISE,
            detection=options.detection,
            correction=options.correction,
        ),
        pulses=int(options.symbols),
    )
    variance = round(planned.link.modulation_variance, 2)
    print(f"planned: modulation variance {variance}, {planned.bits_per_pulse:.3g} bits per symbol expected")

    alice, bob = qp.simulation.gaussian_cv(
        symbols=int(options.symbols),
        rng=options.seed,
        modulation_variance=variance,
        fibre_km=options.fibre_km,
        excess_noise=options.excess_noise,
        efficiency=EFFICIENCY,
        electronic_noise=ELECTRONIC_NOISE,
        detection=options.detection,
    )
    link = qp.LinkConfig(
        protocol=qp.GaussianCV(
            modulation_variance=variance,
            modulation_tolerance=0.0,
            efficiency=EFFICIENCY,
            efficiency_tolerance=0.0,
            detection=options.detection,
        ),
        correction=qp.Slices() if options.correction == "slices" else qp.Multidimensional(),
    )
    result = qp.distill(alice, bob, link)
    print(result.report)
    print(result.key)
    return 0 if len(result.key) else 1


if __name__ == "__main__":
    raise SystemExit(main())
