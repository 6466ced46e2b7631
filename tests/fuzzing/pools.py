"""Snapshots and histories of a pool of authentication key, beside what must come of them."""

from __future__ import annotations

import contextlib
import hashlib

import msgspec

from fuzzing.choices import Choices
from fuzzing.limits import Finding
from qkdpost.errors import InputError, KeyPoolExhausted, LocalProtocolError
from qkdpost.keys import KeyPool, PadReference, SegmentState
from support.link import seeded_source

__all__ = ["fuzz_pool_history", "fuzz_pool_snapshot"]

EXPECTED = (InputError, KeyPoolExhausted, LocalProtocolError)
DIGEST_BYTES = 32
HEAD_BYTES = 10
MAX_ACTIONS = 60


def fuzz_pool_history(data: bytes) -> None:
    """Raise if a byte is handed out twice, is another than was put in, or an error is none of the library."""
    _History(Choices(data)).run()


def fuzz_pool_snapshot(data: bytes) -> None:
    """Raise if a damaged snapshot is taken, or a made-up one breaks something later."""
    choices = Choices(data)
    if choices.chance():
        _damaged(choices)
    else:
        _made_up(choices)


class _History:
    """What is done to a pool, and what every byte of it is."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        preshared = seeded_source(b"pool")(32 + choices.below(200))
        self.pool = KeyPool(preshared)
        self.content = {bytes(16): preshared[32:]}
        self.pieces: list[PadReference] = []
        self.handed: set[tuple[bytes, int]] = set()
        self.spent = 0
        self.epsilon = 0.0

    def run(self) -> None:
        actions = [
            self.reserve,
            self.pad,
            self.pad,
            self.claim,
            self.release,
            self.refill,
            self.reconcile,
            self.skip,
            self.store,
            self.charge,
        ]
        for _ in range(MAX_ACTIONS):
            if not self.choices.left:
                return
            with contextlib.suppress(*EXPECTED):
                self.choices.pick(actions)()
            self.check()

    def check(self) -> None:
        if self.pool.spent_bytes < max(self.spent, len(self.handed)):
            raise Finding("spent bytes came back")
        if self.pool.accumulated_epsilon < self.epsilon:
            raise Finding("the accumulated epsilon fell")
        self.spent, self.epsilon = self.pool.spent_bytes, self.pool.accumulated_epsilon

    def reserve(self) -> None:
        self.pieces.append(self.pool.reserve(self.number()))

    def claim(self) -> None:
        reference = PadReference(segment=self.segment(), offset=self.number(), length=self.number())
        self.pool.claim(reference)
        self.pieces.append(reference)

    def pad(self) -> None:
        if not self.pieces:
            return
        piece = self.choices.pick(self.pieces)
        start, count = self.number(), self.number()
        pad = self.pool.pad(piece, start, count)
        first = piece.offset + start
        if pad != self.content[piece.segment][first : first + count] or len(pad) != count:
            raise Finding("other bytes than were put in")
        places = {(piece.segment, place) for place in range(first, first + count)}
        if places & self.handed:
            raise Finding("a byte was handed out twice")
        self.handed |= places

    def release(self) -> None:
        if self.pieces:
            self.pool.release(self.choices.pick(self.pieces))

    def refill(self) -> None:
        identifier = hashlib.blake2b(self.choices.take(1), digest_size=self.choices.pick([16, 16, 16, 15])).digest()
        key = seeded_source(identifier)(self.choices.below(120))
        if identifier not in self.content:  # an application never gives one name to two segments
            self.pool.refill(identifier, key)
            self.content[identifier] = key

    def reconcile(self) -> None:
        told = [
            SegmentState(
                identifier=state.identifier, next_offset=self.near(state.next_offset), length=self.near(state.length)
            )
            for state in self.pool.inventory()
            if self.choices.below(4)
        ]
        self.pool.synchronise(told * (2 if self.choices.below(20) == 1 else 1))

    def skip(self) -> None:
        self.pool.skip(self.segment(), self.number())

    def store(self) -> None:
        self.pool = KeyPool.restore(self.pool.snapshot())

    def charge(self) -> None:
        self.pool.charge_block(self.choices.pick([1e-10, 0.1, 1e-300, 0.0, float("nan"), 2.0]))

    def segment(self) -> bytes:
        return self.choices.pick([*self.content, b"no such one 1234", b""])

    def number(self) -> int:
        return self.choices.below(64) if self.choices.below(8) else self.choices.whole()

    def near(self, value: int) -> int:
        return value + self.choices.pick([0, 0, 0, 1, -1, 7]) if self.choices.below(8) else self.choices.whole()


def _some_pool(choices: Choices) -> KeyPool:
    pool = KeyPool(seeded_source(b"snapshot")(200))
    for number in range(choices.below(3)):
        pool.refill(hashlib.blake2b(bytes([number]), digest_size=16).digest(), seeded_source(b"%d" % number)(60))
    if choices.chance():
        piece = pool.reserve(1 + choices.below(60))
        pool.pad(piece, 0, 1)
    return pool


def _damaged(choices: Choices) -> None:
    """Any other bytes than were written are refused."""
    snapshot = _some_pool(choices).snapshot()
    place = choices.below(len(snapshot))
    match choices.below(5):
        case 0:
            changed = snapshot[:place] + bytes([snapshot[place] ^ (1 << choices.below(8))]) + snapshot[place + 1 :]
        case 1:
            changed = snapshot[:place]
        case 2:
            changed = snapshot + choices.rest()
        case 3:
            changed = snapshot[:place] + choices.take(8) + snapshot[place + 8 :]
        case _:
            changed = choices.rest()
    try:
        KeyPool.restore(changed)
    except InputError:
        return
    if changed != snapshot:
        raise Finding("a damaged snapshot was taken")


def _made_up(choices: Choices) -> None:
    """What somebody wrote with a right digest is refused, or is a pool that keeps its promises."""
    snapshot = _some_pool(choices).snapshot()
    body = snapshot[:-DIGEST_BYTES]
    if choices.chance():
        fields = msgspec.msgpack.decode(body[HEAD_BYTES:])
        place = choices.below(len(fields))
        fields[place] = choices.pick(
            [
                choices.whole() % 2**63,
                choices.blob(40),
                -1,
                float("nan"),
                [],
                [[bytes(16), 0, b""]],
                None,
                fields[place],
                [[bytes(16), choices.below(9), choices.blob(8)]],
                [[bytes(16), 0, b"x"]] * 2,
            ]
        )
        body = body[:HEAD_BYTES] + msgspec.msgpack.encode(fields)
    else:
        content = bytearray(body)
        for _ in range(1 + choices.below(4)):
            content[choices.below(len(content))] = choices.below(256)
        body = bytes(content) + choices.rest()
    try:
        pool = KeyPool.restore(body + hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest())
    except InputError:
        return
    again = KeyPool.restore(pool.snapshot())
    if again.snapshot() != pool.snapshot():
        raise Finding("a pool changes by being stored")
    with contextlib.suppress(*EXPECTED):
        while again.available_bytes:
            piece = again.reserve(min(48, max(state.length - state.next_offset for state in again.inventory())))
            again.pad(piece, 0, piece.length)
