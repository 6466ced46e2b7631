"""Small links of every kind, with records, and what is said over them when nobody is hostile."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

import qkdpost as qp
from qkdpost.records import RawRecord
from qkdpost.session.codec import decode
from qkdpost.session.session import Session
from support.link import PRESHARED, Pair, bb84_records, changed, seeded_source

__all__ = ["ROLES", "WORLDS", "World", "records_of", "repeatable", "said", "session_of"]

ROLES = ("alice", "bob")
LOOSE: dict[str, Any] = {
    "security": qp.Security(epsilon=0.1),
    "blocks": qp.Blocks(max_detections=2**17, detections=2**17),
}
FINE: dict[str, Any] = LOOSE | {"blocks": qp.Blocks(max_detections=2**17, detections=2**17, frame_bits=2**10)}
CORRECTIONS = {"cascade": qp.Cascade(), "ldpc": qp.Ldpc(frame_bits=2**14)}


@dataclass(frozen=True)
class World:
    """A link, and how large its records are."""

    name: str
    link: qp.LinkConfig
    size: int


def _decoys(intensities: tuple[float, ...], probabilities: tuple[float, ...]) -> qp.LinkConfig:
    return qp.LinkConfig(protocol=qp.DecoyBB84(intensities=intensities, probabilities=probabilities), **LOOSE)


_KINDS = {
    "bb84": (qp.LinkConfig(protocol=qp.BB84(), **FINE), 5000),
    "sampled": (qp.LinkConfig(protocol=qp.BB84(test="sample", sample_fraction=0.3), **FINE), 6000),
    "bbm92": (qp.LinkConfig(protocol=qp.BBM92(), **LOOSE), 1_500_000),
    "time tags": (qp.LinkConfig(protocol=qp.BBM92TimeTags(), **LOOSE), 40_000),
    "one decoy": (_decoys((0.5, 0.15), (0.6, 0.4)), 400_000),
    "two decoys": (_decoys((0.5, 0.15, 2e-4), (0.5, 0.35, 0.15)), 400_000),
    "single photons": (
        qp.LinkConfig(protocol=qp.SinglePhotonBB84(mean_photons=0.3, g2=0.01, test_probabilities=(0.3, 0.3)), **LOOSE),
        100_000,
    ),
}
WORLDS = [
    World(f"{name}, {method}", changed(link, correction=correction), size)
    for name, (link, size) in _KINDS.items()
    for method, correction in CORRECTIONS.items()
]


@contextlib.contextmanager
def repeatable() -> Iterator[None]:
    """Let the operating system's bytes, which double clicks get, hang on their number alone: not on who came first."""
    with mock.patch("secrets.token_bytes", lambda count: hashlib.shake_256(b"double clicks").digest(count)):
        yield


@functools.cache
@repeatable()
def records_of(world: World) -> dict[str, RawRecord]:
    """Both sides' records, always the same."""
    rng = np.random.default_rng(11)
    link = world.link
    both: tuple[RawRecord, RawRecord]
    match link.protocol.kind:
        case "bb84":
            both = bb84_records(world.size, qber=0.004, seed=3)
        case "bbm92":
            detectors = qp.simulation.GatedDetectors(efficiency=0.5)
            both = qp.simulation.bbm92(
                slots=world.size, pairs_per_slot=0.02, test_probability=0.3, rng=rng,
                alice_detectors=detectors, bob_detectors=detectors,
            )  # fmt: skip
        case "bbm92-time-tags":
            receiver = qp.simulation.TaggingReceiver(transmittance=0.6)
            both = qp.simulation.bbm92_time_tags(
                duration_s=0.1, pair_rate_hz=10 * world.size, rng=rng, alice=receiver, bob=receiver, tick_ps=10.0
            )
        case "decoy-bb84":
            both = qp.simulation.decoy_bb84(link, pulses=world.size, rng=rng, test_probabilities=(0.3, 0.3))
        case _:
            both = qp.simulation.single_photon_bb84(link, pulses=world.size, rng=rng)
    return dict(zip(ROLES, both, strict=True))


def session_of(world: World, role: str) -> Session:
    """A session that has its record and has been told that there will be no other."""
    source = seeded_source(b"fuzzing" + role.encode())
    session = Session(role=role, link=world.link, auth_key=qp.KeyPool(PRESHARED), random_source=source)
    session.submit(records_of(world)[role])
    session.finish()
    return session


@functools.cache
@repeatable()
def said(world: World) -> dict[str, list[bytes]]:
    """The frames that each side sends when nobody is hostile."""
    pair = Pair(world.link, seed=b"fuzzing")
    pair.submit(*records_of(world).values())  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    for frames in pair.sent.values():
        for frame in frames:
            decode(frame)
    return pair.sent
