"""The links of the network example, and the records that the devices of a link make.

Devices are made up: with detectors of 80 % a few million pulses leave key.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np

import qkdpost as qp
from network_sites import name_of

DETECTORS = qp.simulation.GatedDetectors(efficiency=0.8, dark_count_probability=1e-7)
TEST_PROBABILITY = 0.23
BLOCKS_A_LINK = 2
"""A pool gives a small segment to one of its directions whole, so that both have something after two."""
DECOY_PULSES = ((10.0, 4_000_000), (20.0, 8_000_000), (30.0, 12_000_000), (60.0, 40_000_000))
"""As many pulses a block as leave 200 kbit of key or more, up to so many kilometres."""
SINGLE_PHOTON_PULSES = 2_000_000
SYMBOLS = 1_500_000
"""Of coherent states; with half as many no key is left at 3 km (`planning.optimise` says so)."""
PRESHARED_BYTES = 2048


def configuration(link: qp.network.Link) -> qp.LinkConfig:
    """Return what both hosts of a link must agree on."""
    protocols = {
        "decoy-bb84": qp.DecoyBB84(intensities=(0.68, 0.2, 0.0), probabilities=(0.6, 0.32, 0.08)),
        "single-photon-bb84": qp.SinglePhotonBB84(mean_photons=0.5, g2=0.02, test_probabilities=(0.2, 0.2)),
        "gaussian-cv": qp.GaussianCV(
            modulation_variance=2.4, modulation_tolerance=0.0, efficiency=0.6, efficiency_tolerance=0.0
        ),
    }
    return qp.LinkConfig(protocol=protocols[link.kind], blocks=qp.Blocks(detections=50_000))


def simulate(link: qp.network.Link) -> tuple[object, object]:
    """Draw what both ends of a link record in one block."""
    settings = configuration(link)
    rng = np.random.default_rng(secrets.randbits(128))
    match link.kind:
        case "decoy-bb84":
            pulses = next(count for reach_km, count in DECOY_PULSES if link.length_km <= reach_km)
            return qp.simulation.decoy_bb84(
                settings,
                pulses=pulses,
                fibre_km=link.length_km,
                rng=rng,
                detectors=DETECTORS,
                test_probabilities=(TEST_PROBABILITY,) * 2,
            )
        case "single-photon-bb84":
            source = qp.simulation.ImperfectPhotonSource(mean_photons=0.5, g2=0.02)
            return qp.simulation.single_photon_bb84(
                settings,
                pulses=SINGLE_PHOTON_PULSES,
                fibre_km=link.length_km,
                rng=rng,
                detectors=DETECTORS,
                source=source,
            )
        case _:
            return qp.simulation.gaussian_cv(
                symbols=SYMBOLS,
                rng=rng,
                modulation_variance=settings.protocol.modulation_variance,
                fibre_km=link.length_km,
                efficiency=settings.protocol.efficiency,
                electronic_noise=0.1,
                detection=settings.protocol.detection,
            )


def deal(link: qp.network.Link, folders: dict[str, Path]) -> None:
    """Give each end of a link its own half of the records, and to both the configuration and the pre-shared key."""
    preshared = secrets.token_bytes(PRESHARED_BYTES)
    ends = [folders[site] / "links" / name_of(link) for site in link.between]
    for end in ends:
        end.mkdir(parents=True)
        (end / "link.toml").write_text(configuration(link).to_toml(), encoding="utf-8")
        (end / "preshared.key").write_bytes(preshared)
    for block in range(BLOCKS_A_LINK):
        for end, record in zip(ends, simulate(link), strict=True):
            qp.save(end / f"record-{block}.npz", record)
