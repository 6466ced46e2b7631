"""The pool of authentication key is stored before any byte leaves that was made with it."""

from __future__ import annotations

import msgspec
import pytest

from qkdpost.dialogue.messages import Confirmation, Hello, Message
from qkdpost.errors import AuthenticationError
from qkdpost.keys import KeyPool, PadReference
from qkdpost.session.codec import decode, encode
from qkdpost.session.events import KeyReady
from qkdpost.session.session import Session
from support.link import PRESHARED, bb84_records, frames, seeded_source, small_link


class RecordedPool(KeyPool):
    """Remembers which bytes it handed out."""

    __slots__ = ("handed_out",)
    handed_out: list[tuple[bytes, int]]

    def pad(self, reference: PadReference, start: int, count: int) -> bytes:
        pad = super().pad(reference, start, count)
        self.handed_out += [(reference.segment, reference.offset + place) for place in range(start, start + count)]
        return pad


class Store:
    """What survives a power cut, and what was handed out before and after it."""

    def __init__(self, snapshot: bytes) -> None:
        self.snapshot = snapshot
        self.handed_out: list[tuple[bytes, int]] = []
        self.writes = 0
        self.fails = False

    def save(self, snapshot: bytes) -> None:
        if self.fails:
            raise OSError("the disk is full")
        self.snapshot = snapshot
        self.writes += 1


class Host:
    def __init__(self, role: str, store: Store, seed: bytes) -> None:
        self.pool = RecordedPool.restore(store.snapshot)
        self.pool.handed_out = store.handed_out
        self.session = Session(
            role=role,
            link=small_link(security={"epsilon": 1e-6}),
            auth_key=self.pool,
            random_source=seeded_source(seed + role.encode()),
            save_pool=store.save,
        )


def stores(preshared: bytes = PRESHARED) -> dict[str, Store]:
    return {role: Store(KeyPool(preshared).snapshot()) for role in ("alice", "bob")}


def talk(kept: dict[str, Store], number: int, most: int) -> list[bytes]:
    """Start both hosts from what they stored, distil a block, and cut the power after `most` messages."""
    hosts = {role: Host(role, store, b"%d" % number) for role, store in kept.items()}
    alice, bob = bb84_records(4000, qber=0.004, seed=number)
    hosts["alice"].session.submit(alice, number=number)
    hosts["bob"].session.submit(bob, number=number)
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
                if hosts[other].session.state.alive:
                    hosts[other].session.receive_data(frame)
                moved = True
    return said


WHOLE = len(talk(stores(), 0, 10**6))


def test_each_host_writes_a_few_times_a_block_and_not_for_every_message() -> None:
    kept = stores()
    talk(kept, 0, 10**6)
    assert WHOLE > 20
    for store in kept.values():
        assert store.writes == 4  # at the start, when the block was opened, at the first tag, when the key came


def test_after_a_power_cut_anywhere_no_pad_is_used_again() -> None:
    """Between two cuts a block is distilled whole, so that the few pads of the first key are soon spent."""
    kept = stores(PRESHARED[: 32 + 6 * 48])
    for most in range(WHOLE):
        talk(kept, 2 * most, most)
        talk(kept, 2 * most + 1, 10**6)
    for store in kept.values():
        assert len(set(store.handed_out)) == len(store.handed_out) >= 48
        assert len({segment for segment, _ in store.handed_out}) > 1  # pads of new keys were among them


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_what_cannot_be_stored_is_not_sent(role: str) -> None:
    kept = stores()
    hosts = {name: Host(name, store, b"") for name, store in kept.items()}
    for host, record in zip(hosts.values(), bb84_records(4000, qber=0.004), strict=True):
        host.session.submit(record)
        host.session.finish()
    sent: dict[str, list[Message]] = {"alice": [], "bob": []}

    def exchange() -> bool:
        moved = False
        for name, other in (("alice", "bob"), ("bob", "alice")):
            for frame in frames(hosts[name].session.data_to_send()):
                sent[name].append(decode(frame))
                hosts[other].session.receive_data(frame)
                moved = True
        return moved

    exchange()
    kept[role].fails = True
    with pytest.raises(OSError, match="disk is full"):
        while exchange():
            pass
    for _ in range(2):
        with pytest.raises(OSError, match="disk is full"):
            hosts[role].session.data_to_send()
    assert not any(isinstance(message, Confirmation) for message in sent[role])
    kept[role].fails = False
    while exchange():
        pass
    assert any(isinstance(message, Confirmation) for message in sent[role])
    assert kept[role].snapshot == hosts[role].pool.snapshot()
    for host in hosts.values():
        assert any(isinstance(event, KeyReady) for event in host.session.events())


def test_a_tag_that_was_wrong_is_spent_before_anybody_learns_so() -> None:
    kept = stores()
    hosts = {name: Host(name, store, b"") for name, store in kept.items()}
    for host, record in zip(hosts.values(), bb84_records(4000, qber=0.004), strict=True):
        host.session.submit(record)
        host.session.finish()
    with pytest.raises(AuthenticationError):
        while True:
            for name, other in (("alice", "bob"), ("bob", "alice")):
                for frame in frames(hosts[name].session.data_to_send()):
                    message = decode(frame)
                    if isinstance(message, Confirmation):
                        message = msgspec.structs.replace(message, tag=bytes(len(message.tag)))
                    hosts[other].session.receive_data(encode(message))
    assert kept["bob"].handed_out
    assert kept["bob"].snapshot == hosts["bob"].pool.snapshot()
    assert KeyPool.restore(kept["bob"].snapshot).spent_bytes == 48


def test_the_revision_tells_every_change() -> None:
    pool = KeyPool(PRESHARED)
    seen = [(pool.revision, pool.snapshot())]
    reference = pool.reserve(48)
    assert (pool.revision, pool.snapshot()) == seen[-1]
    pool.pad(reference, 0, 16)
    seen.append((pool.revision, pool.snapshot()))
    pool.pad(reference, 16, 16)
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
        accumulated_epsilon=0.0,
        release="0.1\n\x1b[2J",
        altered=("a\r\n",),
    )
    with pytest.raises(Exception, match="has set") as caught:
        session.receive_data(encode(forged))
    assert str(caught.value).isprintable()
