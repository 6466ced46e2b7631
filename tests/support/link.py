"""A pair of sessions over a fake link, with small blocks, for the tests of the conversation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
from msgspec import structs

import qkdpost as qp
from qkdpost.config import LinkConfig
from qkdpost.keys import KeyPool
from qkdpost.records import Detections, PreparedPulses
from qkdpost.session.codec import LENGTH_BYTES
from qkdpost.session.events import BlockAborted, Event, KeyReady
from qkdpost.session.session import Session

PRESHARED = bytes(range(256)) * 16


def seeded_source(seed: bytes) -> Callable[[int], bytes]:
    """Return a source of bytes that repeats itself from run to run."""
    state = hashlib.shake_256(seed)
    position = 0

    def draw(count: int) -> bytes:
        nonlocal position
        position += count
        return state.digest(position)[-count:] if count else b""

    return draw


SMALL = qp.LinkConfig(protocol=qp.BB84(), blocks=qp.Blocks(max_detections=2**17, detections=2**16, frame_bits=2**12))


def changed(link: LinkConfig, **parts: object) -> LinkConfig:
    """Return the link with other parts: a dict changes fields of a part, anything else takes the place of one."""
    new = {
        name: structs.replace(getattr(link, name), **change) if isinstance(change, dict) else change
        for name, change in parts.items()
    }
    return structs.replace(link, **new)


def small_link(**parts: object) -> LinkConfig:
    """Return a link for small blocks, BB84 if nothing else is said; arguments as for `changed`."""
    return changed(SMALL, **parts)


def decoy_links() -> dict[str, LinkConfig]:
    """Return a link with one decoy and one with two."""
    return {
        "one decoy": LinkConfig(protocol=qp.DecoyBB84(intensities=(0.5, 0.15), probabilities=(0.7, 0.3))),
        "two decoys": LinkConfig(protocol=qp.DecoyBB84(intensities=(0.5, 0.15, 2e-4), probabilities=(0.6, 0.3, 0.1))),
    }


def bb84_records(
    detections: int = 8000, *, qber: float = 0.01, test_fraction: float = 0.5, seed: int = 7
) -> tuple[PreparedPulses, Detections]:
    """Return records of a link that loses four pulses in five."""
    rng = np.random.default_rng(seed)
    pulses = 5 * detections
    bases = (rng.random(pulses) < test_fraction).astype(np.uint8)
    bits = rng.integers(0, 2, pulses, dtype=np.uint8)
    slots = np.sort(rng.choice(pulses, detections, replace=False))
    peer_bases = (rng.random(detections) < test_fraction).astype(np.uint8)
    same = peer_bases == bases[slots]
    flips = (rng.random(detections) < qber).astype(np.uint8)
    outcomes = np.where(same, bits[slots] ^ flips, rng.integers(0, 2, detections, dtype=np.uint8))
    return (
        PreparedPulses(bases=bases, bits=bits),
        Detections(pulses=pulses, slots=slots, bases=peer_bases, outcomes=outcomes),
    )


class Pair:
    """Alice and Bob, and everything that either of them was told."""

    def __init__(self, link: LinkConfig, *, seed: bytes = b"pair", preshared: bytes = PRESHARED) -> None:
        self.pools = {role: KeyPool(preshared) for role in ("alice", "bob")}
        self.sessions = {
            role: Session(
                role=role, link=link, auth_key=self.pools[role], random_source=seeded_source(seed + role.encode())
            )
            for role in ("alice", "bob")
        }
        self.events: dict[str, list[Event]] = {"alice": [], "bob": []}
        self.sent: dict[str, list[bytes]] = {"alice": [], "bob": []}

    def submit(self, alice: PreparedPulses, bob: Detections) -> None:
        self.sessions["alice"].submit(alice)
        self.sessions["bob"].submit(bob)

    def finish(self) -> None:
        for session in self.sessions.values():
            session.finish()

    def reconnect(self) -> None:
        """Cut the line, if there is one, and begin anew."""
        for session in self.sessions.values():
            session.connection_lost()
            session.connect()

    def collect(self) -> None:
        for role, session in self.sessions.items():
            self.events[role] += session.events()

    def step(self, source: str, target: str, alter: Callable[[str, int, bytes], list[bytes]] | None = None) -> int:
        """Move what `source` has to say to `target`, message by message; `alter` may change each."""
        moved = 0
        for frame in frames(self.sessions[source].data_to_send()):
            number = len(self.sent[source])
            self.sent[source].append(frame)
            for piece in [frame] if alter is None else alter(source, number, frame):
                if self.sessions[target].state.alive:
                    self.sessions[target].receive_data(piece)
            moved += 1
        self.collect()
        return moved

    def run(self, alter: Callable[[str, int, bytes], list[bytes]] | None = None) -> None:
        """Let both talk until nobody has anything to say."""
        while self.step("alice", "bob", alter) + self.step("bob", "alice", alter):
            pass

    def keys(self, role: str) -> dict[int, bytes]:
        return {event.block: event.key.to_bytes() for event in self.events[role] if isinstance(event, KeyReady)}

    def aborts(self, role: str) -> list[BlockAborted]:
        return [event for event in self.events[role] if isinstance(event, BlockAborted)]


def frames(data: bytes) -> Iterator[bytes]:
    """Cut a stream of whole frames."""
    start = 0
    while start < len(data):
        stop = start + LENGTH_BYTES + int.from_bytes(data[start : start + LENGTH_BYTES], "little")
        yield data[start:stop]
        start = stop
