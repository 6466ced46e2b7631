"""Whole conversations of two small sessions, byte for byte; nothing in them depends on chance.

What a session draws comes from its `random_source`. Records are made of SHAKE256 in whole numbers here, so that no
generator of another library takes part, and the bits of double clicks come from a source of their own. Time tags have
neither double clicks nor ticks to convert, for what is drawn there always comes from the operating system.

A length is the floor of a bound in floating point: only where it lies within some 10^-12 of a whole number could
another mathematical library make one bit less of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import qkdpost as qp
from qkdpost.dialogue.messages import DetectionReport, SiftReply
from qkdpost.protocols import PROTOCOLS, ProtocolSettings
from qkdpost.protocols.qubits import QubitSettings
from qkdpost.records import RawRecord
from qkdpost.session import handshake
from qkdpost.session.codec import decode
from qkdpost.sifting.slots.conversation import answer_slots, match_to_prepared, report_slots
from qkdpost.stages.block import Duty
from qkdpost.stages.sifting import sifting
from qkdpost.stages.standard import AFTER_SIFTING
from support.link import Pair, seeded_source

SEED = b"vectors, "
RELEASE = "0.1.0"
"""What greetings say, so that a new release alone changes no bytes here."""
PRESHARED = hashlib.shake_256(b"pre-shared key").digest(128)


class Draws:
    """Numbers out of SHAKE256, eight bytes each."""

    def __init__(self, seed: bytes) -> None:
        self._numbers = memoryview(hashlib.shake_256(seed).digest(2**20)).cast("Q")
        self._next = 0

    def below(self, bound: int) -> int:
        """Return a number below `bound`, as good as uniform."""
        number = int.from_bytes(self._numbers[self._next : self._next + 1].tobytes(), "little")
        self._next += 1
        return number % bound

    def chance(self, permille: int) -> bool:
        """Return True so often in a thousand."""
        return self.below(1000) < permille


@dataclass(frozen=True)
class Scene:
    """A conversation to be recorded: what is said about it, the link, and both sides' records."""

    about: str
    link: qp.LinkConfig
    alice: RawRecord
    bob: RawRecord


def _prepared(seed: bytes, pulses: int, *, decoy: bool = False) -> tuple[qp.PreparedPulses, qp.Detections]:
    """Return records in which two pulses of three are seen, 1 % wrong, and one in some thousand by both detectors."""
    draws = Draws(seed)
    bases = [int(draws.chance(400)) for _ in range(pulses)]
    bits = [draws.below(2) for _ in range(pulses)]
    labels = [max(0, draws.below(4) - 1) for _ in range(pulses)] if decoy else None
    slots, seen_in, outcomes = [], [], []
    for slot in range(pulses):
        if draws.below(3):
            basis = int(draws.chance(400))
            right = bits[slot] ^ draws.chance(10) if basis == bases[slot] else draws.below(2)
            slots.append(slot)
            seen_in.append(basis)
            outcomes.append(2 if draws.chance(2) else right)
    return (
        qp.PreparedPulses(bases=bases, bits=bits, intensities=labels),
        qp.Detections(
            pulses=pulses,
            slots=slots,
            bases=seen_in,
            outcomes=outcomes,
            random_source=seeded_source(seed + b", double clicks"),
        ),
    )


def _tagged(seed: bytes, pairs: int) -> tuple[qp.TimeTags, qp.TimeTags]:
    """Return tags of pairs, 200 to 600 ns apart, each half seen three times of four; Bob's clock is 123 us behind."""
    draws = Draws(seed)
    sides: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    picoseconds = 0
    for _ in range(pairs):
        picoseconds += 200_000 + draws.below(400_000)
        bit, bases = draws.below(2), (int(draws.chance(400)), int(draws.chance(400)))
        wrong = draws.chance(10)
        for side, (clicks, basis) in enumerate(zip(sides, bases, strict=True)):
            outcome = bit ^ (wrong and side) if bases[0] == bases[1] else draws.below(2)
            late = 123_456_789 * side + draws.below(300)
            if draws.below(4):
                clicks.append(((picoseconds + late) // 200, 2 * basis + outcome))
    first, second = (
        qp.TimeTags(ticks=[tick for tick, _ in clicks], channels=[channel for _, channel in clicks], tick_ps=200.0)
        for clicks in sides
    )
    return first, second


def _link(protocol: ProtocolSettings, *, frame_bits: int = 2**10, **parts: Any) -> qp.LinkConfig:
    return qp.LinkConfig(
        protocol=protocol,
        security=qp.Security(epsilon=1e-6),
        blocks=qp.Blocks(detections=2**16, max_detections=2**17, frame_bits=frame_bits),
        **parts,
    )


def _cascade() -> Scene:
    return Scene("BB84, Cascade", _link(qp.BB84()), *_prepared(b"cascade", 7500))


def _wrong_frame() -> Scene:
    link = _link(qp.BB84(), frame_bits=2**8, correction=qp.Cascade(parameters="original"))
    return Scene("BB84, Cascade that leaves a frame wrong", link, *_prepared(b"wrong frame", 11_000))


def _ldpc() -> Scene:
    link = _link(qp.BB84(test="sample", sample_fraction=0.3), correction=qp.Ldpc(frame_bits=2**14))
    return Scene("BB84, a random sample for the test, LDPC", link, *_prepared(b"ldpc", 11_000))


def _time_tags() -> Scene:
    return Scene("BBM92 from time tags, Cascade", _link(qp.BBM92TimeTags()), *_tagged(b"time tags", 9000))


def _no_key() -> Scene:
    protocol = qp.DecoyBB84(intensities=(0.5, 0.125, 0.001), probabilities=(0.5, 0.25, 0.25))
    return Scene("decoy states, too few detections for a key", _link(protocol), *_prepared(b"decoy", 2500, decoy=True))


def _bob_kept() -> Scene:
    return Scene("BB84 in which Bob's string is kept, Cascade", _link(BobKept()), *_prepared(b"Bob kept", 7500))


class BobKept(QubitSettings, frozen=True, kw_only=True, tag="bob-kept"):
    """A kind for these vectors alone: Alice prepares, and corrects her string to Bob's."""


@contextmanager
def as_recorded() -> Iterator[None]:
    """Register the kinds of these scenes, and tell the release of the vectors, for as long as they are talked of."""
    sift = sifting(
        reporting=report_slots,
        answering=partial(answer_slots, matcher=match_to_prepared),
        reporting_hears=frozenset({SiftReply}),
        answering_hears=frozenset({DetectionReport}),
        reporter=Duty.REFERENCE,
    )
    kind = replace(PROTOCOLS["bb84"], settings=BobKept, reference="bob", stages=(sift, *AFTER_SIFTING))
    PROTOCOLS["bob-kept"] = kind
    release, handshake.VERSION = handshake.VERSION, RELEASE
    try:
        yield
    finally:
        handshake.VERSION = release
        del PROTOCOLS["bob-kept"]


SCENES: dict[str, Callable[[], Scene]] = {
    "cascade": _cascade,
    "wrong_frame": _wrong_frame,
    "ldpc": _ldpc,
    "time_tags": _time_tags,
    "no_key": _no_key,
    "bob_kept": _bob_kept,
}


def digest(record: RawRecord) -> str:
    """Return what tells whether a record is the one that was recorded."""
    hasher = hashlib.blake2b(digest_size=16)
    match record:
        case qp.PreparedPulses():
            planes = () if record.intensities is None else record.intensities.planes
            parts = [record.bases.to_bytes(), record.bits.to_bytes(), *(plane.to_bytes() for plane in planes)]
        case qp.Detections():
            parts = [record.slots.astype("<i8").tobytes(), record.bases.to_bytes(), record.bits.to_bytes()]
        case qp.TimeTags():
            parts = [record.ticks.astype("<i8").tobytes(), record.channels.tobytes()]
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little") + part)
    return hasher.hexdigest()


@as_recorded()
def build(name: str) -> dict[str, object]:
    """Let the two sessions of a scene talk, and return all that was said and came of it."""
    scene = SCENES[name]()
    pair = Pair(scene.link, seed=SEED, preshared=PRESHARED)
    frames: list[dict[str, str]] = []

    def listen(source: str, _: int, frame: bytes) -> list[bytes]:
        frames.append({"from": source, "type": type(decode(frame)).__name__, "frame": frame.hex()})
        return [frame]

    pair.submit(scene.alice, scene.bob)
    pair.finish()
    pair.run(listen)
    return {
        "about": scene.about,
        "link": scene.link.to_fields(),
        "preshared": PRESHARED.hex(),
        "random_source": {role: f"SHAKE256 of {(SEED + role.encode()).decode()!r}, read on" for role in pair.sessions},
        "records": {"alice": digest(scene.alice), "bob": digest(scene.bob)},
        "frames": frames,
        "keys": {role: [key.hex() for key in pair.keys(role).values()] for role in pair.sessions},
        "aborts": {role: [event.reason.name.lower() for event in pair.aborts(role)] for role in pair.sessions},
    }
