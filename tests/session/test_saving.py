"""The pool of authentication key is stored before any byte leaves that was made with it."""

from __future__ import annotations

import pytest

from qkdpost.key_pool import KeyPool
from qkdpost.messages import BlockOpen, Hello
from qkdpost.session.codec import decode, encode
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from support.link import PRESHARED, bb84_records, frames, seeded_source, small_link


class Store:
    """What survives a power cut."""

    def __init__(self, snapshot: bytes) -> None:
        self.snapshot = snapshot
        self.writes = 0
        self.fails = False

    def save(self, snapshot: bytes) -> None:
        if self.fails:
            raise OSError("the disk is full")
        self.snapshot = snapshot
        self.writes += 1


class Host:
    def __init__(self, role: str, store: Store, seed: bytes) -> None:
        self.pool = KeyPool.restore(store.snapshot)
        self.session = Session(
            role=role,
            link=small_link(epsilon=1e-6),
            auth_key=self.pool,
            random_source=seeded_source(seed + role.encode()),
            save_pool=store.save,
        )


def stores() -> dict[str, Store]:
    return {role: Store(KeyPool(PRESHARED).snapshot()) for role in ("alice", "bob")}


def talk(kept: dict[str, Store], number: int, most: int) -> list[bytes]:
    """Start both hosts from what they stored, distil a block, and cut the power after `most` messages."""
    hosts = {role: Host(role, store, b"%d" % number) for role, store in kept.items()}
    alice, bob = bb84_records(4000, qber=0.004, seed=number)
    hosts["alice"].session.submit(alice, batch=number)
    hosts["bob"].session.submit(bob, batch=number)
    for host in hosts.values():
        host.session.finish()
    said: list[bytes] = []
    moved = True
    while moved:
        moved = False
        for role, other in (("alice", "bob"), ("bob", "alice")):
            data = hosts[role].session.data_to_send()
            assert kept[role].snapshot == hosts[role].pool.snapshot()
            for frame in frames(data):
                said.append(frame)
                if len(said) > most:
                    return said
                if hosts[other].session.state in (ConnectionState.HANDSHAKE, ConnectionState.OPEN):
                    hosts[other].session.receive_data(frame)
                moved = True
    return said


WHOLE = len(talk(stores(), 0, 10**6))


def test_each_host_writes_a_few_times_a_block_and_not_for_every_message() -> None:
    kept = stores()
    talk(kept, 0, 10**6)
    assert WHOLE > 50
    for store in kept.values():
        assert store.writes == 3  # at the start, when the pads were taken, when the key came


def test_after_a_power_cut_anywhere_no_pad_is_used_again() -> None:
    kept = stores()
    pads = []
    for number, most in enumerate([*range(WHOLE), WHOLE]):
        said = talk(kept, number, most)
        openings = [message for message in map(decode, said) if isinstance(message, BlockOpen)]
        pads += [(opening.segment, opening.offset) for opening in openings]
    assert len(set(pads)) == len(pads) >= WHOLE - 5
    assert len({segment for segment, _ in pads}) > 1  # pads of new keys were among them


def test_what_cannot_be_stored_is_not_sent() -> None:
    kept = stores()
    hosts = {role: Host(role, store, b"") for role, store in kept.items()}
    alice, bob = hosts["alice"].session, hosts["bob"].session
    bob.submit(bb84_records(4000)[1])
    bob.finish()
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    kept["bob"].fails = True
    bob.receive_data(alice.data_to_send())  # opens the block and takes its pads
    for _ in range(2):
        with pytest.raises(OSError, match="disk is full"):
            bob.data_to_send()
    kept["bob"].fails = False
    sent = [decode(frame) for frame in frames(bob.data_to_send())]
    assert any(isinstance(message, BlockOpen) for message in sent)
    assert kept["bob"].snapshot == hosts["bob"].pool.snapshot()


def test_the_revision_tells_every_change() -> None:
    pool = KeyPool(PRESHARED)
    seen = [(pool.revision, pool.snapshot())]
    reference = pool.reserve(48)
    seen.append((pool.revision, pool.snapshot()))
    pool.pad(reference, 0, 16)
    pool.release(reference)
    assert (pool.revision, pool.snapshot()) == seen[-1]
    pool.refill(b"0123456789abcdef", bytes(48))
    seen.append((pool.revision, pool.snapshot()))
    pool.skip(b"0123456789abcdef", 10)
    seen.append((pool.revision, pool.snapshot()))
    assert len({revision for revision, _ in seen}) == len({snapshot for _, snapshot in seen}) == len(seen)


def test_what_a_peer_writes_cannot_break_a_log() -> None:
    link = small_link()
    session = Session(role="alice", link=link, auth_key=KeyPool(PRESHARED))
    peer = Session(role="bob", link=link, auth_key=KeyPool(PRESHARED))
    hello = decode(next(iter(frames(peer.data_to_send()))))
    assert isinstance(hello, Hello)
    forged = Hello(
        version=hello.version,
        role=hello.role,
        nonce=hello.nonce,
        configuration=hello.configuration | {"epsilon": "1\n2026 all is well\x1b[2J", "a\r\n": "\u202e"},
        segments=hello.segments,
    )
    with pytest.raises(Exception, match="differ in") as caught:
        session.receive_data(encode(forged))
    assert str(caught.value).isprintable()
