"""Two hosts make a secret key: two processes that talk TCP on loopback, each given only its own records.

    python examples/two_hosts.py [--link examples/link.toml] [--kind one-decoy] [--pulses N] [--fibre-km 50]
                                 [--reconciliation cascade|ldpc] [--fixed-length]

What both hosts must agree on is read from a TOML file, here `link.toml` beside this program. The records are simulated:
decoy-state BB84 (two decoys, or one with "one-decoy"), BB84 with a single-photon source, BB84 with a perfect one
("bb84"), or BBM92 with entangled pairs. Both reports are printed, with every term of the bound, and whether the two
keys agree. With --fixed-length the length is planned before any record exists, from what such devices are expected to
count, and both hosts hold the block to the thresholds.

Try what takes the key away: a longer fibre, fewer pulses. The report then says "no key", and which term was too large.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

import numpy as np
from msgspec import structs

import qkdpost as qp
from hosts import run_two_hosts

OTHERS = {
    "one-decoy": qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.7, 0.3)),
    "single-photon-bb84": qp.SinglePhotonBB84(mean_photons=0.2, g2=0.02, test_probabilities=(0.1, 0.1)),
    "bb84": qp.BB84(),
    "bbm92": qp.BBM92(),
}
"""What --kind puts in the place of the protocol of the file."""
METHODS = {"cascade": qp.Cascade(), "ldpc": qp.Ldpc(), "auto": qp.Auto()}
TEST_PROBABILITY = 0.2
"""Of weak coherent pulses, on both sides."""
PAIRS_PER_SLOT = 0.02
PULSES = {"decoy-bb84": 10**8, "single-photon-bb84": 10**8, "bb84": 2 * 10**7, "bbm92": 4 * 10**8}


def simulate(link: qp.LinkConfig, pulses: int, fibre_km: float) -> tuple[object, object]:
    rng = np.random.default_rng(secrets.randbits(128))
    match link.protocol.kind:
        case "decoy-bb84":
            return qp.simulation.decoy_bb84(
                link, pulses=pulses, fibre_km=fibre_km, rng=rng, test_probabilities=(TEST_PROBABILITY,) * 2
            )
        case "single-photon-bb84":
            return qp.simulation.single_photon_bb84(link, pulses=pulses, fibre_km=fibre_km, rng=rng)
        case "bbm92":
            return qp.simulation.bbm92(slots=pulses, pairs_per_slot=PAIRS_PER_SLOT, fibre_km=fibre_km, rng=rng)
        case _:
            return qp.simulation.bb84(pulses=pulses, fibre_km=fibre_km, rng=rng)


def fixed_length(link: qp.LinkConfig, pulses: int, fibre_km: float) -> tuple[qp.LinkConfig, qp.security.SecretLength]:
    """Plan the length from the devices, before any record exists."""
    planning, simulation = qp.planning, qp.simulation
    fibre = simulation.Fibre(length_km=fibre_km)
    bound = "wiesemann-2026" if link.protocol.kind == "decoy-bb84" else "lim-2021"
    match link.protocol.kind:
        case "decoy-bb84":
            source = simulation.WeakCoherentSource(
                intensities=link.protocol.intensities, probabilities=link.protocol.probabilities
            )
            devices = planning.DecoyBB84Link(source=source, fibre=fibre, test_probability=TEST_PROBABILITY)
            expected = devices.expected_tally(pulses)
        case "single-photon-bb84":  # no published bound: plan nine tenths of what the variable-length one should allow
            source = simulation.ImperfectPhotonSource(mean_photons=link.protocol.mean_photons, g2=link.protocol.g2)
            devices = planning.SinglePhotonBB84Link(source=source, fibre=fibre)
            result = planning.expected_length(devices, pulses=pulses, epsilon=link.security.epsilon, efficiency=1.2)
            security = structs.replace(link.security, planned_key_bits=result.bits * 9 // 10)
            return structs.replace(link, security=security), result
        case "bbm92":
            devices = planning.BBM92Link(fibre=fibre, pairs_per_slot=PAIRS_PER_SLOT)
            expected = devices.expected_tally(pulses)
        case _:
            brightness = simulation.SinglePhotonSource().efficiency
            source = simulation.ImperfectPhotonSource(mean_photons=brightness, g2=0.0)
            counts = planning.SinglePhotonBB84Link(source=source, fibre=fibre).expected_tally(pulses)
            expected = qp.Tally(key_bits=counts.key_bits, test_bits=counts.test_bits, test_errors=counts.test_errors)
    plan = planning.plan_fixed_length(link, expected, bound=bound)
    return plan.config, plan.result


def planned(link: qp.LinkConfig, pulses: int, fibre_km: float) -> qp.LinkConfig:
    """Say what is planned; if that is no key, say why, and how many pulses would give some."""
    config, result = fixed_length(link, pulses, fibre_km)
    if result.bits:
        planned_bits, acceptance = config.security.planned_key_bits or result.bits, config.security.acceptance
        print(f"planned: {planned_bits:,} bits, or none; {acceptance}", file=sys.stderr)
        return config
    enough = pulses
    while enough < 10**14 and not fixed_length(link, enough, fibre_km)[1].bits:
        enough *= 2
    hint = f"--pulses {enough} would give some" if enough < 10**14 else "no number of pulses gives any"
    raise SystemExit(f"no key can be planned with {pulses:,} pulses: {result.reason}; {hint}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--link", type=Path, default=Path(__file__).parent / "link.toml", help="what both agree on")
    parser.add_argument("--kind", choices=OTHERS, help="another kind of QKD than the file says")
    parser.add_argument("--pulses", type=int, help="pulses or slots (by default so many that key is left at 50 km)")
    parser.add_argument("--fibre-km", type=float, default=50.0, help="length of the fibre (default 50)")
    parser.add_argument("--reconciliation", choices=METHODS, help="another method of correction than the file says")
    parser.add_argument("--fixed-length", action="store_true", help="plan the length beforehand, with thresholds")
    options = parser.parse_args()
    try:
        link = qp.LinkConfig.from_toml(options.link.read_text(encoding="utf-8"))
        if options.kind:
            link = structs.replace(link, protocol=OTHERS[options.kind])
        if options.reconciliation:
            link = structs.replace(link, correction=METHODS[options.reconciliation])
        pulses = PULSES[link.protocol.kind] if options.pulses is None else options.pulses
        if pulses < 1:
            parser.error(f"--pulses must be at least 1; found {pulses}")
        if options.fixed_length:
            link = planned(link, pulses, options.fibre_km)
        print(f"simulating {pulses:,} pulses over {options.fibre_km:g} km of fibre", file=sys.stderr)
        alice, bob = simulate(link, pulses, options.fibre_km)
    except (OSError, qp.QkdpostError) as error:
        parser.error(str(error))
    return run_two_hosts(alice, bob, link)


if __name__ == "__main__":
    raise SystemExit(main())
