"""Mutated byte streams against each side: nothing but the two named errors, no key, no memory out of proportion."""

from __future__ import annotations

import resource
from collections.abc import Callable

import numpy as np
import pytest

from qkdpost.dialogue.messages import Confirmation
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.keys import KeyPool
from qkdpost.session.codec import decode
from qkdpost.session.events import KeyReady
from qkdpost.session.session import Session
from support.link import PRESHARED, Pair, bb84_records, seeded_source, small_link

RECORDS = dict(zip(("alice", "bob"), bb84_records(4000, qber=0.004), strict=True))
LINK = small_link(security={"epsilon": 1e-6})
MEMORY_ALLOWANCE_KIB = 64 * 1024


def recorded_stream(role: str) -> tuple[bytes, bytes]:
    """Return what `role` hears in a clean run up to the last tag, and the key that it then holds."""
    pair = Pair(LINK, seed=b"recorded")
    for name, session in pair.sessions.items():
        session.submit(RECORDS[name])
        session.finish()
    pair.run()
    frames = pair.sent["bob" if role == "alice" else "alice"]
    last = max(number for number, frame in enumerate(frames) if isinstance(decode(frame), Confirmation))
    return b"".join(frames[: last + 1]), pair.keys(role)[0]


def replay(role: str, stream: bytes, cuts: list[int]) -> list[bytes]:
    """Feed `stream` to a fresh session of `role`; return the keys that it releases."""
    session = Session(
        role=role, link=LINK, auth_key=KeyPool(PRESHARED), random_source=seeded_source(b"recorded" + role.encode())
    )
    session.submit(RECORDS[role])
    session.finish()
    try:
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            session.receive_data(stream[start:stop])
            while session.data_to_send():
                pass
    except (RemoteProtocolError, AuthenticationError):
        assert not session.state.alive
    session.connection_lost()
    assert session.blocks_in_flight == 0
    return [event.key.to_bytes() for event in session.events() if isinstance(event, KeyReady)]


def flip(stream: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        stream[int(rng.integers(len(stream)))] ^= 1 << int(rng.integers(8))


def overwrite(stream: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(stream)))
    count = min(int(rng.integers(1, 16)), len(stream) - start)
    stream[start : start + count] = rng.bytes(count)


def delete(stream: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(stream)))
    del stream[start : start + int(rng.integers(1, 64))]


def insert(stream: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(stream)))
    stream[start:start] = rng.bytes(int(rng.integers(1, 64)))


def repeat(stream: bytearray, rng: np.random.Generator) -> None:
    start, count = int(rng.integers(len(stream))), int(rng.integers(1, 500))
    stream[start:start] = stream[start : start + count]


def inflate(stream: bytearray, rng: np.random.Generator) -> None:
    """Raise a byte that may be a count or a length to its most."""
    stream[int(rng.integers(len(stream)))] = 0xFF


MUTATIONS: list[Callable[[bytearray, np.random.Generator], None]] = [flip, overwrite, delete, insert, repeat, inflate]


def attack(role: str, rounds: int, seed: int) -> None:
    stream, key = recorded_stream(role)
    assert replay(role, stream, []) == [key]
    rng = np.random.default_rng(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(rounds):
        altered = bytearray(stream)
        MUTATIONS[number % len(MUTATIONS)](altered, rng)
        cuts = sorted(int(cut) for cut in rng.integers(0, len(altered) + 1, 3))
        if altered == stream:
            continue
        if not altered.startswith(stream):  # what follows a whole conversation comes too late to matter
            assert replay(role, bytes(altered), cuts) == []
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before <= MEMORY_ALLOWANCE_KIB


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_mutated_streams_sampled(role: str) -> None:
    attack(role, 300, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["alice", "bob"])
def test_mutated_streams(role: str) -> None:
    attack(role, 100_000, seed=2)
